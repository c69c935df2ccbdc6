"""Which registers a VMM keeps from its guest: the MSR filter of KVM (KVM_X86_SET_MSR_FILTER).

The rules kept here: a filter concerns the guest's accesses alone; a denied access is #GP for the guest unless the VMM
asked for the exit; the registers of a filter fit into KVM's 16 ranges, or it is refused. Source: Linux
Documentation/virt/kvm/api.rst, KVM_X86_SET_MSR_FILTER; arch/x86/kvm/x86.c, kvm_msr_allowed.
"""

from typing import NamedTuple

from workbench.errors import WorkbenchError

#: KVM_MSR_FILTER_MAX_RANGES, and the registers of one range (KVM_MSR_FILTER_MAX_BITMAP_SIZE bytes of bits).
MOST_RANGES, SPAN = 16, 0x600 * 8


class MsrFilter(NamedTuple):
    """The registers that a guest is denied (``denying``), or the only ones that it is allowed."""

    denying: bool = True
    listed: frozenset[int] = frozenset()

    def denies(self, msr: int) -> bool:
        """Tell whether the guest's access to ``msr`` is denied."""
        return (msr in self.listed) is self.denying

    def also_denying(self, msrs: frozenset[int]) -> "MsrFilter":
        """Return the filter that denies ``msrs`` as well."""
        return self._replace(listed=self.listed | msrs if self.denying else self.listed - msrs)

    def ranges(self) -> tuple[tuple[int, ...], ...]:
        """Return the listed registers, in groups that fit into one range each; raise WorkbenchError if there are more.

        A filter that allows nothing has no range.
        """
        groups: list[list[int]] = []
        for msr in sorted(self.listed):
            if groups and msr - groups[-1][0] < SPAN:
                groups[-1].append(msr)
            else:
                groups.append([msr])
        if len(groups) > MOST_RANGES:
            raise WorkbenchError(f"MSRs in {len(groups)} places: KVM filters at most {MOST_RANGES} ranges")
        return tuple(map(tuple, groups))


#: No filter: the guest reaches every register.
NO_FILTER = MsrFilter()
