"""A machine on which checks try single operations of a design, one after the other, each run to its end."""

from typing import Any

from workbench.core.contracts import Feature
from workbench.core.driver import guest_side, host_side
from workbench.core.host_state import DERIVED, VM, Key
from workbench.core.scenario import Scenario
from workbench.core.steps import Backed, Exit, Program
from workbench.core.vcpu import KVM_SUPPORTED, Vcpu
from workbench.engines.simulate.engine import Simulation
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import WithValues
from workbench.measure.variants import Variant

VCPUS = 2


class Tried:
    """A guest of two vCPUs under a design; ``booted``: all features that the design supports are registered."""

    def __init__(self, variant: Variant, features: tuple[Feature, ...], *, booted: bool = False) -> None:
        # Every feature is offered, also those that KVM leaves to the VMM.
        offered = KVM_SUPPORTED | {feature.cpuid_bit for feature in features if feature.cpuid_bit is not None}
        self.scenario = Scenario(variant.protocol(features), features, vcpus=VCPUS, cpuid=offered)
        self.protocol = self.scenario.protocol
        self.simulation = Simulation(self.scenario)
        self.machine = self.simulation.machine
        #: How many arguments the design's own guest passes in each hypercall.
        self.arguments: dict[int, int] = {}
        self.machine.leave = self._leave  # type: ignore[method-assign]
        if booted:
            self.simulation.play(WithValues(EVENTS["boot"]).happen(self.scenario))
        else:
            for cpu in range(VCPUS):
                self.guest(self.protocol.prepare(self.scenario.cpu(cpu)), cpu)

    def _leave(self, cpu: int, step: Exit) -> Vcpu:
        if step.cause == "hypercall":
            self.arguments[step.number] = len(step.arguments)
        return type(self.machine).leave(self.machine, cpu, step)

    def guest(self, program: Program, cpu: int = 0) -> Any:
        """Run a guest program on a vCPU; return what it returns."""
        return self.machine.run(cpu, guest_side(self.protocol, program))

    def host(self, program: Program, cpu: int = 0) -> Any:
        """Run a host program for a vCPU; return what it returns."""
        return self.machine.run(cpu, host_side(program))

    def one(self, step: Any, cpu: int = 0) -> Any:
        """Let a vCPU take one step; return its answer."""

        def program() -> Program:
            return (yield step)

        return self.guest(program(), cpu)

    def register(self, feature: Feature, gpa: int, cpu: int = 0) -> Any:
        """The guest prepares the area at ``gpa`` and registers ``feature`` there; return what it concludes.

        The first of ``Protocol.own_features``, which the others may need, is registered before any other of them.
        """
        first = self.protocol.by_name.get(next(iter(self.protocol.own_features), ""))
        if first not in (None, feature) and feature.name in self.protocol.own_features:
            own = self.gpa(first, cpu)
            if self.serves(first, cpu, own) is None:
                self.register(first, own, cpu)
                self.enter(cpu)
        if self.host(_is_memory(gpa, feature.size), cpu):  # what is no memory would be a device, and a further exit
            self.guest(feature.prepare(gpa), cpu)
        return self.guest(self.protocol.register(self.scenario.cpu(cpu), feature, gpa), cpu)

    def unregister(self, feature: Feature, cpu: int = 0) -> Any:
        """The guest revokes ``feature``; return what it concludes."""
        return self.guest(self.protocol.unregister(self.scenario.cpu(cpu), feature, self.gpa(feature, cpu)), cpu)

    def enter(self, cpu: int = 0) -> None:
        """A vCPU enters the guest; what is due is delivered."""
        self.host(self.protocol.on_entry(self.machine.cpus[cpu]), cpu)

    def gpa(self, feature: Feature, cpu: int = 0) -> int:
        """Return where the guest's first kernel keeps the area of ``feature``."""
        addresses = self.scenario.addresses
        return addresses.gpa(addresses.area(0, cpu, feature))

    def serves(self, feature: Feature, cpu: int, gpa: int) -> int | None:
        """Return where the host serves ``feature`` of a vCPU, None if nowhere."""
        owner = VM if feature.scope == "vm" else cpu
        return self.protocol.serving(self.machine.entries, owner, feature, gpa)

    def entries(self, *, derived: bool = True) -> dict[Any, Any]:
        """Return a copy of the host's entries; without ``derived``, only what a migration must carry."""
        return {
            key: value
            for key, value in self.machine.entries.items()
            if derived or not isinstance(key, Key) or key.kind not in DERIVED
        }


def _is_memory(gpa: int, size: int) -> Program:
    return (yield Backed(gpa, size))


def differing(before: dict[Any, Any], after: dict[Any, Any]) -> list[Any]:
    """Return the keys under which two tables differ."""
    return [key for key in {**before, **after} if before.get(key) != after.get(key)]
