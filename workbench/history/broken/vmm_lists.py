"""VMMs that save less than KVM serves: the registers that their list lacks, or those after one that KVM cannot read.

RangeWithoutInterrupt (Firecracker until 2022)
V1  The VMM's list of registers to save has no range over KVM's own numbers: it names some, and not POLL_CONTROL,
    ASYNC_PF_INT and ASYNC_PF_ACK (0x4b564d05 to 0x4b564d07).
V2  Mitigation ``whole-range``: every register of 0x4b564d00 to 0x4b564dff is saved (Firecracker pull request 3064 added
    the first two in 2022, 5738 the whole range in 2026).

FewRegisters (cloud-hypervisor until 2020)
V3  The VMM saves the registers that it sets at boot; none of KVM's own is among them.
V4  Mitigation ``all-supported``: it saves what KVM_GET_MSR_INDEX_LIST names (cloud-hypervisor pull request 1396).

StopsShort (cloud-hypervisor until 2020)
V5  The list names a register that this platform cannot read (here: after the clocks). KVM_GET_MSRS stops there, and
    says how many it has read; the VMM does not look at this number.
V6  Mitigation ``skip-and-go-on``: it looks, leaves out the register at which KVM stopped, and goes on after it
    (cloud-hypervisor pull request 1543).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from workbench.core.kvm_registers import ASYNC_PF_ACK, ASYNC_PF_INT, KVM_MSRS, POLL_CONTROL, SYSTEM_TIME, WALL_CLOCK
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature


class _Listed(PerFeature):
    """One MSR per feature under a VMM with a list of its own; with its mitigation, the list is complete."""

    name = "listed"
    not_saved: ClassVar[frozenset[int]]  #: the registers that are lost without the mitigation

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved = yield from super().save(cpus)
        return saved if self.mitigations else tuple(item for item in saved if item[1] not in self.not_saved)


class RangeWithoutInterrupt(_Listed):
    """The list of Firecracker, in which KVM's newer registers were missing."""

    name = "firecracker_list"
    title = "Firecracker's list (until 2022)"
    not_saved = frozenset({POLL_CONTROL.msr, ASYNC_PF_INT.msr, ASYNC_PF_ACK.msr})  # V1
    mitigations_known: ClassVar[dict[str, str]] = {"whole-range": "KVM's whole range is saved (V2)"}


class FewRegisters(_Listed):
    """The first list of cloud-hypervisor."""

    name = "boot_list"
    title = "cloud-hypervisor's boot list (2020)"
    not_saved = KVM_MSRS  # V3
    mitigations_known: ClassVar[dict[str, str]] = {"all-supported": "what KVM lists is saved (V4)"}


class StopsShort(PerFeature):
    """A VMM that does not look at the number of registers that KVM has read."""

    name = "stops_short"
    title = "number of registers ignored (2020)"
    mitigations_known: ClassVar[dict[str, str]] = {"skip-and-go-on": "what cannot be read is left out (V6)"}

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = yield from super().save(cpus)
        if "skip-and-go-on" in self.mitigations:
            return saved  # V6
        return tuple(item for item in saved if item[1] in (SYSTEM_TIME.msr, WALL_CLOCK.msr))  # V5
