"""Failure of a restore or a start: the machine does not run, because its VMM gives up at what its host refuses."""

from collections.abc import Iterator

from workbench.checking.facts import Facts
from workbench.checking.failures.failure import Claim, Failure, Violation
from workbench.checking.ghosts import RESTORED
from workbench.core.scenario import becomes


def _ended(facts: Facts) -> Iterator[Violation]:
    found = facts.value(becomes())
    if found is not None and found.is_end:
        vmm = facts.scenario.host.vmm
        yield Violation("machine", f"the host refused a part of the state, and {vmm.title} did not start the machine")


def _restored_by_such_a_vmm(facts: Facts) -> bool:
    gives_up = facts.scenario.host.vmm.becomes.is_end
    return gives_up and (bool(facts.value(RESTORED)) or facts.value(becomes()) is not None)


MACHINE_ENDED = Failure(
    "F29",
    "machine-ended",
    "always",
    Claim(_ended),
    what="The host refuses a part of the state that a VMM restores, or starts from, and the VMM ends the machine.",
    why="One register that the guest may not even use takes the whole guest with it; after a migration, for good.",
    example="QEMU writes ASYNC_PF_INT to a KVM without a LAPIC, which refuses it; QEMU asserts that it was written.",
    seen="QEMU bug 1896263 on Launchpad (an assertion in kvm_buf_set_msrs); Firecracker's VcpuSetMsrsIncomplete.",
    premise=_restored_by_such_a_vmm,
)
