"""Memory hot-unplug: the memslot that holds the areas is deleted, and in one event added again.

KVM must not write through a mapping that it made before the memory was removed: in CVE-2013-1797 KVM looked a page up
at the register write and wrote to it after KVM_SET_USER_MEMORY_REGION had removed it. Today KVM derives the
mapping again when the memslots have changed: updates pause silently, the register keeps its value, and they resume
when memory appears at the address (Linux 6.12 arch/x86/kvm/x86.c record_steal_time, virt/kvm/pfncache.c).
The added memory is fresh, so a payload that is written once for each registration (the wall clock) is lost.
"""

from workbench.core.event_steps import AddMemslot, DeleteMemslot
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, enter_all


class MemslotUnplug(AfterBoot):
    """The VMM deletes the memslot that holds every area and descriptor."""

    name = "memslot-unplug"
    title = "memory unplug"
    group = "areas and memory change"

    def happen(self, scenario: Scenario) -> Program:
        yield DeleteMemslot(scenario.addresses.memslot(scenario.kernel))
        yield from enter_all(scenario)


class MemslotReturn(MemslotUnplug):
    """The VMM deletes this memslot, and later adds one of fresh memory at the same address."""

    name = "memslot-return"
    title = "memory unplug and return"

    def happen(self, scenario: Scenario) -> Program:
        yield from super().happen(scenario)
        yield AddMemslot(scenario.addresses.memslot(scenario.kernel), scenario.addresses.memslot_size)
        yield from enter_all(scenario)
