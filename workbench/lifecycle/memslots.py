"""The memory under the areas goes away, and perhaps comes back.

KVM must not write through a mapping it made when the memory was still there: CVE-2013-1797 is a page looked up
at the register write, removed by KVM_SET_USER_MEMORY_REGION, and written to afterwards. Today KVM derives the
mapping again when the memslots have changed: updates pause silently, the register keeps its value, and they go on
when memory appears at the address (Linux 6.12 arch/x86/kvm/x86.c record_steal_time, virt/kvm/pfncache.c).
The memory that returns is fresh: what is written once for each registration (the wall clock) does not return.
"""

from workbench.core.event_steps import AddMemslot, DeleteMemslot
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, enter_all


class MemslotUnplug(AfterBoot):
    """The VMM deletes the memslot that holds every area and descriptor."""

    name = "memslot-unplug"
    title = "memory unplug"

    def happen(self, scenario: Scenario) -> Program:
        yield DeleteMemslot(scenario.addresses.memslot(0))
        yield from enter_all(scenario)


class MemslotReturn(MemslotUnplug):
    """Later it adds one of fresh memory at the same place."""

    name = "memslot-return"
    title = "memory unplug and return"

    def happen(self, scenario: Scenario) -> Program:
        yield from super().happen(scenario)
        yield AddMemslot(scenario.addresses.memslot(0), scenario.addresses.memslot_size)
        yield from enter_all(scenario)
