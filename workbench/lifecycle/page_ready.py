"""Events in an area: the guest takes each and acknowledges it, while the host has another one that waits.

KVM puts the token of a page that is ready into the area if the guest has taken the last one; otherwise it waits for
the guest's acknowledgement (Linux 6.12 arch/x86/kvm/x86.c, kvm_check_async_pf_completion, MSR_KVM_ASYNC_PF_ACK; guest:
arch/x86/kernel/kvm.c, sysvec_kvm_asyncpf_interrupt). Every registration queues one such event, the wake-all, so a
second one that leaves the area as it is meets the token of the first.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from workbench.core.contracts import Feature
from workbench.core.event_steps import GuestProgram
from workbench.core.scenario import Scenario, acknowledges
from workbench.core.steps import Note, Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AfterBoot, enter_all, of_its_own
from workbench.lifecycle.linux import LinuxKernel


@dataclass(frozen=True)
class TakingKernel(LinuxKernel):
    """A kernel that takes the events in its areas."""

    def with_events(self, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield the features whose host writes events, each with the gpa of its area."""
        addresses = self.scenario.addresses
        for feature in self.at_boot(cpu):
            if feature.update_when == "event":
                yield feature, addresses.gpa(addresses.area(self.generation, cpu.index, feature))

    def register_again(self, cpu: Vcpu) -> Program:
        """Guest: register again, and leave what stands in the area."""
        for feature, gpa in tuple(self.with_events(cpu)):
            yield from self.scenario.enrol(self.here(cpu), feature, self.generation, gpa)

    def take(self, cpu: Vcpu) -> Program:
        """Guest: the interrupt handler: take what is there, and acknowledge it."""
        for feature, gpa in tuple(self.with_events(cpu)):
            yield from feature.read(gpa)
            yield Note(acknowledges(cpu.index, feature.name), None)
            yield from self.scenario.protocol.acknowledge(self.here(cpu), feature)


class PageReady(AfterBoot):
    """A second event waits until every vCPU has taken the first; then they take it, too."""

    name = "page-ready"
    title = "page ready, taken, acknowledged"
    group = "areas and memory change"

    def happen(self, scenario: Scenario) -> Program:
        kernel = TakingKernel(scenario)
        yield from enter_all(scenario)
        for program in (kernel.register_again, kernel.take, kernel.take):
            yield from self._on_each(scenario, program)
            yield from enter_all(scenario)

    def _on_each(self, scenario: Scenario, program: GuestProgram) -> Program:
        for cpu in range(scenario.vcpus):
            yield from of_its_own(cpu, program)
