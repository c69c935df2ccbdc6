"""The same feature is registered twice: at the same address, or at another one.

Linux does the first on every resume, and the second when a kernel moves its per-CPU data. A design must say what
becomes of the first area; its memory is given back by a guest that believes it has moved. Two that went wrong:
"KVM: x86: revalidate steal time cache if MSR value changes" (901d3765fa80, 2022: the host went on writing to the
first area), and SYSTEM_TIME with an area that crosses a page, which Linux 6.12 accepts and does not map while the
area mapped before stays live (virt/kvm/pfncache.c, __kvm_gpc_activate).
"""

from collections.abc import Iterator

from workbench.core.contracts import Feature
from workbench.core.scenario import Scenario
from workbench.core.steps import Program, Share
from workbench.core.vcpu import Vcpu
from workbench.core.vmsteps import Disown, Enter, Invoke, Start
from workbench.lifecycle.event import Event, enter_all
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.scratch import crossing


class DoubleRegistration(Event):
    """Every vCPU registers all its areas again where they are."""

    name = "double-registration"
    title = "registered twice, same address"

    def strike(self, scenario: Scenario) -> Program:
        kernel = LinuxKernel(scenario)
        for cpu in range(scenario.vcpus):
            yield Start(cpu, kernel.online)
        yield from enter_all(scenario)


class DoubleRegistrationMoved(Event):
    """vCPU 0 registers all its areas elsewhere, and gives back the memory of the first ones."""

    name = "double-registration-moved"
    title = "registered again elsewhere"

    def strike(self, scenario: Scenario) -> Program:
        yield Start(0, Invoke(self.move, (scenario,)))
        addresses = scenario.addresses
        moved = tuple(addresses.area(0, 0, feature) for feature in LinuxKernel(scenario).at_boot(scenario.cpu(0)))
        yield Disown(moved)
        yield Enter(0)

    def move(self, cpu: Vcpu, scenario: Scenario) -> Program:
        """Guest: register every area of this CPU at its new place."""
        kernel = LinuxKernel(scenario)
        for feature, gpa in tuple(self.places(scenario, cpu)):
            if scenario.encrypted:
                yield Share(gpa, feature.size, True)
            yield from scenario.enrol(kernel.here(cpu), feature, 0, gpa)

    def places(self, scenario: Scenario, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield each feature with its new gpa: where a second kernel would put it."""
        addresses = scenario.addresses
        for feature in LinuxKernel(scenario).at_boot(cpu):
            yield feature, addresses.gpa(addresses.area(1, cpu.index, feature))


class DoubleRegistrationCrossing(DoubleRegistrationMoved):
    """The new place of each area crosses a page."""

    name = "double-registration-crossing"
    title = "registered again across a page"

    def places(self, scenario: Scenario, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield each feature with a gpa at which its area crosses a page."""
        for index, feature in enumerate(LinuxKernel(scenario).at_boot(cpu)):
            yield feature, crossing(index, feature)
