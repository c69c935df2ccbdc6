"""Double registration: the same feature is registered twice, at the same address or at another one.

Linux does the first on every resume, and the second when a kernel moves its per-CPU data. A design must define what
happens to the first area, because a guest that has moved an area reuses the old memory. Two known bugs:
"KVM: x86: revalidate steal time cache if MSR value changes" (901d3765fa80, 2022: the host went on writing to the
first area), and SYSTEM_TIME with an area that crosses a page, which Linux 6.12 accepts and does not map while the
area mapped before stays live (virt/kvm/pfncache.c, __kvm_gpc_activate).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

from workbench.core.contracts import Feature
from workbench.core.event_steps import Enter, Reassign, Start, Wait, each
from workbench.core.hypercalls import share
from workbench.core.memory import PAGE_SIZE
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot, enter_all, of_its_own
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.scratch import crossing


class DoubleRegistration(AfterBoot):
    """Every vCPU registers all its areas again where they are."""

    name = "double-registration"
    title = "registered twice, same address"
    group = "areas and memory change"

    def happen(self, scenario: Scenario) -> Program:
        kernel = LinuxKernel(scenario)
        yield each(range(scenario.vcpus), Wait, lambda cpu: Start(cpu, kernel.online))
        yield from enter_all(scenario)


@dataclass(frozen=True)
class MovingKernel(LinuxKernel):
    """A kernel that registers its areas a second time, at other addresses."""

    def move(self, cpu: Vcpu) -> Program:
        """Guest: register every area of this CPU at its new address."""
        for feature, gpa in tuple(self.places(cpu)):
            if self.scenario.encrypted:
                yield share(gpa, feature.size)
            yield from self.scenario.enrol(self.here(cpu), feature, self.generation, gpa)

    def places(self, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield each feature with its new gpa: where the next kernel would put it."""
        addresses = self.scenario.addresses
        for feature in self.at_boot(cpu):
            yield feature, addresses.gpa(addresses.area(self.generation + 1, cpu.index, feature))


@dataclass(frozen=True)
class CrossingKernel(MovingKernel):
    """A kernel whose areas cross a page boundary at their second addresses."""

    def places(self, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield each feature with a gpa at which its area crosses a page boundary."""
        for index, feature in enumerate(self.at_boot(cpu)):
            yield feature, crossing(index, feature)


@dataclass(frozen=True)
class NowhereKernel(MovingKernel):
    """A kernel whose second addresses lie where no RAM is."""

    def places(self, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield each feature with a gpa behind the end of memory."""
        for index, feature in enumerate(self.at_boot(cpu)):
            yield feature, self.scenario.end_of_memory + index * PAGE_SIZE


class DoubleRegistrationMoved(AfterBoot):
    """vCPU 0 registers all its areas at other addresses, and frees the first ones where the new ones were accepted."""

    name = "double-registration-moved"
    title = "registered again elsewhere"
    group = "areas and memory change"
    kernel: ClassVar[type[MovingKernel]] = MovingKernel

    def happen(self, scenario: Scenario) -> Program:
        kernel, addresses = self.kernel(scenario), scenario.addresses
        yield from of_its_own(0, kernel.move)
        yield Wait(0)
        old = (addresses.area(scenario.kernel, 0, feature) for feature in kernel.at_boot(scenario.cpu(0)))
        yield Reassign(tuple(old), keeps_registered=True)
        yield Enter(0)


class DoubleRegistrationCrossing(DoubleRegistrationMoved):
    """Each area crosses a page boundary at its new address."""

    name = "double-registration-crossing"
    title = "registered again across a page"
    kernel = CrossingKernel


class DoubleRegistrationRefused(DoubleRegistrationMoved):
    """No RAM is at the new addresses: a call that is refused must leave the area that was registered before."""

    name = "double-registration-refused"
    title = "registered again where no RAM is"
    kernel = NowhereKernel

    def adapt(self, scenario: Scenario) -> Scenario:
        """The host may refuse the second registrations."""
        return replace(scenario, rightly_refused=True)
