"""Host live update: the host's kernel is replaced under a VM that goes on, with its memory and its VMM's own state.

This is what Kexec HandOver and the Live Update Orchestrator aim at (Linux Documentation/core-api/kho/concepts.rst,
since 6.16; Documentation/core-api/liveupdate.rst): guest memory is handed over to the next kernel in place, and the VMM
goes on with what it knows. What KVM knew of the VM is gone with the old kernel, and the VMM puts it back by the
interfaces that a migration uses. So a registration that KVM keeps and no interface carries is lost, as in a migration;
one that the VMM itself serves stays, also where its migration stream does not carry it.

A new VM stands for the new kernel: neither has any state of the old one.
"""

from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import ENDED, enter_all
from workbench.lifecycle.migrate import Migration, move


class HostLiveUpdate(Migration):
    """The host's kernel is replaced. The VMM puts back what interfaces carry, and still has what it serves itself."""

    name = "host-live-update"
    title = "host's kernel replaced, VM goes on"

    def happen(self, scenario: Scenario) -> Program:
        if (yield from move(scenario, vmm_stays=True)) is ENDED:
            return ENDED
        yield from enter_all(scenario)
        return None
