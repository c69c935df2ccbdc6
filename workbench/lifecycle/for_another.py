"""A registration on behalf of another vCPU, by a design that can name one (``Protocol.for_others``).

PAPR's H_REGISTER_VPA takes the number of a CPU (Linux arch/powerpc/kvm/book3s_hv.c, do_h_register_vpa). The other
vCPU may run at the same time. In a design without it, the vCPU registers its areas itself.
"""

from workbench.core.event_steps import GuestCall, Start, Wait
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import AfterBoot, boot_all, enter_all
from workbench.lifecycle.hotplug import last
from workbench.lifecycle.linux import LinuxKernel


class RegisteredForAnother(AfterBoot):
    """vCPU 0 registers the areas of the last vCPU, if the design can; the last vCPU comes up meanwhile."""

    name = "registered-for-another"
    title = "registered by another vCPU"
    group = "areas and memory change"
    min_vcpus = 2

    def setup(self, scenario: Scenario) -> Program:
        """All but the last boot."""
        yield from boot_all(scenario, without=last(scenario))

    def happen(self, scenario: Scenario) -> Program:
        kernel = LinuxKernel(scenario)
        if not scenario.protocol.for_others:
            yield Start(last(scenario), kernel.boot)
        else:
            yield Wait(0)
            yield Start(0, GuestCall(kernel.register_for, (last(scenario),)))
            yield Start(last(scenario), kernel.come_up)
        yield from enter_all(scenario)
