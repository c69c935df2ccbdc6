"""What happens in a combination, as a lifecycle event: the guest boots, the host updates areas, the machine moves."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from workbench.clayout.layout import Abi
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.driver import host_side
from workbench.core.event_steps import HostCall, NewHost, OnHost, Pause, Resume, Wait, WaitAll
from workbench.core.host_state import VM, Key
from workbench.core.scenario import Scenario
from workbench.core.steps import USER, Note, Program
from workbench.core.vcpu import KVM_SUPPORTED, Vcpu
from workbench.lifecycle.event import starting
from workbench.lifecycle.kexec import new_kernel, reused_memory, revoked_for_all
from workbench.lifecycle.migrate import restore_on, save_on, there
from workbench.lifecycle.page_ready import TakingKernel
from workbench.measure.skew.aged import AgedHost, by_vmm_alone, settings
from workbench.measure.skew.combinations import CRASHED, OLD, REVOKED, Combination, HostAge

#: Ghost: the destination's VMM refused the stream, and the machine goes on where it was (value: True). QEMU fails for a
#: section or subsection that it does not know (migration/savevm.c, qemu_loadvm_section_start_full;
#: migration/vmstate.c, vmstate_subsection_load, -ENOENT).
STREAM_REFUSED = Key("migration stream refused", VM, "by the destination's VMM")


@dataclass(frozen=True)
class SkewKernel(TakingKernel):
    """A Linux kernel that registers every feature of the scenario when it boots, or knows of none of it."""

    asks: bool = True

    def at_boot(self, cpu: Vcpu) -> Iterator[Feature]:
        """Every feature: the scenario has the one that is asked about, also if Linux registers it later."""
        yield from (one for one in self.scenario.supported() if one.scope == "vcpu" or cpu.index == 0)

    def boot(self, cpu: Vcpu) -> Program:
        """Guest: make the design's calls, or none."""
        if self.asks:
            yield from super().boot(cpu)


class Skew(Event):
    """One combination; ``nothing``: what the source's VMM saves of a guest that has registered nothing."""

    title = "version skew"

    def __init__(
        self, name: str, combination: Combination, nothing: tuple[Any, ...] = (), abi: Abi = Abi.X86_64
    ) -> None:
        self.combination, self.nothing, self.abi = combination, nothing, abi
        self.name = name  # type: ignore[misc]

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest on a host of these ages, with these bits of CPUID."""
        one = self.combination
        bits = frozenset(bit for own in scenario.features for each in own.registers for bit in each.cpuid_bits)
        offered = KVM_SUPPORTED | bits if self._offered(scenario) else KVM_SUPPORTED - bits
        ages = settings(one.host, scenario.protocol, scenario.features)
        host = AgedHost(**dict(ages))
        return replace(scenario, host=host, cpuid=offered, enforce_cpuid=one.enforced, abi=self.abi)

    def _offered(self, scenario: Scenario) -> bool:
        return self.combination.offers(by_vmm_alone=by_vmm_alone(scenario.protocol, scenario.features))

    def happen(self, scenario: Scenario) -> Program:
        """Boot, updates, a move if there is one, and updates again."""
        one = self.combination
        kernel = SkewKernel(scenario, asks=one.asks(offered=self._offered(scenario)))
        if one.guest == OLD:
            yield reused_memory(scenario)
        everyone = tuple(range(scenario.vcpus))
        yield starting(everyone, lambda cpu: kernel.boot)
        yield WaitAll(everyone)
        yield from updates(scenario)
        if one.guest in (REVOKED, CRASHED):
            yield from self._followed(scenario, kernel)
            yield from updates(scenario)
        if one.to is None:
            return
        has_events = any(feature.update_when == "event" for feature in scenario.supported())
        if kernel.asks and has_events and not scenario.protocol.places_areas:
            yield starting(everyone, lambda cpu: kernel.take)  # so that the next host has events to write
            yield WaitAll(everyone)
        yield from updates((yield from self._move(scenario, one.to)))

    def _followed(self, scenario: Scenario, kernel: SkewKernel) -> Program:
        """The kernel ends, with or without revoking; the one that follows knows of nothing, and has its memory."""
        if self.combination.guest == REVOKED and scenario.protocol.revokes_everything:
            yield from revoked_for_all(scenario, Wait)
        elif self.combination.guest == REVOKED:
            everyone = tuple(range(scenario.vcpus))
            yield starting(everyone, lambda cpu: kernel.teardown)
            yield WaitAll(everyone)
        yield from new_kernel(scenario)

    def _move(self, scenario: Scenario, to: HostAge) -> Program:
        """The machine moves, unless the destination's VMM refuses what is in the stream; return where it is then."""
        changes = settings(to, scenario.protocol, scenario.features)
        yield Pause()
        saved = yield OnHost(0, HostCall(save_on, (scenario,)))
        if to.vmm == OLD and saved and saved != self.nothing:
            yield OnHost(0, HostCall(refuse))
            yield Resume()
            return scenario
        yield NewHost(changes)
        destination = there(scenario, changes)
        yield OnHost(0, HostCall(restore_on, (destination, saved)))
        yield Resume()
        return destination


def refuse() -> Program:
    """VMM of the destination: it does not know a part of the stream."""
    return host_side(_refuse(), USER)


def _refuse() -> Program:
    yield Note(STREAM_REFUSED, True)


def updates(scenario: Scenario) -> Program:
    """The host does what it may do at any time: every vCPU enters the guest, and every event comes."""
    for cpu in range(scenario.vcpus):
        yield OnHost(cpu, HostCall(enter_on, (scenario, cpu)))
        for feature in scenario.supported():
            if feature.update_when in ("event", "request"):
                yield OnHost(cpu, HostCall(deliver_on, (scenario, cpu, feature.name)))


def enter_on(scenario: Scenario, cpu: int) -> Program:
    """Host: the vCPU is about to enter the guest on this host, whose record the scenario has."""
    if scenario.host.knows_protocol:
        yield from host_side(scenario.protocol.on_entry(scenario.cpu(cpu)))


def deliver_on(scenario: Scenario, cpu: int, name: str) -> Program:
    """Host: an event of a feature comes (a page is ready, an interrupt is injected), or an update nobody asked for."""
    feature = next(one for one in scenario.features if one.name == name)
    if not scenario.host.knows_protocol:
        return None
    return (yield from host_side(scenario.protocol.deliver(scenario.cpu(cpu), feature)))
