"""A hostile guest that asks with wrong control bits, or for something that the host does not know.

A register's value is an address and control bits; the protocol says which of them must be set, which must not, and
which CPUID has to offer (``Protocol.control_bits``). Such a guest knows that it asks for nothing that a host may serve:
it believes nothing to be registered afterwards, so an area that the host then serves is unknown to the guest. Sources:
Linux Documentation/virt/kvm/x86/msr.rst ("Bits 5-1 of the MSR ... must be zero"); arch/x86/kvm/x86.c,
kvm_set_msr_common.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from workbench.core.contracts import Feature
from workbench.core.event_steps import Enter, Start
from workbench.core.outcome import REFUSED
from workbench.core.relay import relayed
from workbench.core.scenario import Scenario, asked
from workbench.core.steps import Note, Program, Wrmsr
from workbench.core.vcpu import KVM_SUPPORTED, Vcpu
from workbench.lifecycle.hostile import Hostile, HostileKernel, renamed
from workbench.lifecycle.scratch import target


@cache
def valued(feature: Feature, value: int) -> Feature:
    """Return ``feature`` with another value to set; the same object each time, because programs compare by value."""
    twin = copy(feature)
    vars(twin)["guest_value"] = value
    return twin


def without(program: Program, gpa: int, bits: int) -> Program:
    """Run a guest program, and clear ``bits`` in each register write that passes on ``gpa``."""

    def cleared(step: Any) -> Program:
        if isinstance(step, Wrmsr) and step.value & ~0xFFF == gpa & ~0xFFF:
            step = Wrmsr(step.msr, step.value & ~bits)
        return (yield step)

    return relayed(program, cleared)


def single_bits(mask: int) -> list[int]:
    """Return the bits of ``mask``, of many only the lowest two and the highest."""
    bits = [1 << number for number in range(mask.bit_length()) if mask >> number & 1]
    return bits if len(bits) <= 5 else [*bits[:2], bits[-1]]


@dataclass(frozen=True, kw_only=True)
class BitKernel(HostileKernel):
    """The kernel on vCPU 0: each of its registrations has one control bit wrong."""

    def ask_wrongly(self, cpu: Vcpu) -> Program:
        """Guest: try every wrong bit of every feature; nothing of it counts as registered."""
        here = self.here(cpu)
        for index, feature in enumerate(self.scenario.supported()):
            for program in self.wrong(here, feature, target(index)):
                yield from program
                yield from self.concludes(cpu, feature)

    def concludes(self, cpu: Vcpu, feature: Feature) -> Program:
        """Guest: such a request cannot have been granted."""
        owner = self.scenario.addresses.area(self.generation, cpu.index, feature).cpu
        yield Note(asked(owner, feature.name), REFUSED)

    def wrong(self, cpu: Vcpu, feature: Feature, gpa: int) -> Iterator[Program]:
        """Yield the registrations of one feature that set a bit that must be 0."""
        protocol = self.scenario.protocol
        for bit in single_bits(protocol.control_bits(feature).forbidden):
            if feature.is_value:
                yield protocol.register(cpu, valued(feature, feature.guest_value | bit), gpa)
            else:
                yield protocol.register(cpu, feature, gpa | bit)


@dataclass(frozen=True, kw_only=True)
class UnreadyKernel(BitKernel):
    """A kernel that leaves out one of the bits by which it says that the address is to be used.

    The host may keep such a value; it must not use the address.
    """

    def concludes(self, cpu: Vcpu, feature: Feature) -> Program:
        """Guest: nothing was asked for."""
        return
        yield

    def wrong(self, cpu: Vcpu, feature: Feature, gpa: int) -> Iterator[Program]:
        """Yield the registrations of one feature that lack a bit that must be 1."""
        protocol = self.scenario.protocol
        for bit in single_bits(protocol.control_bits(feature).required):
            yield without(protocol.register(cpu, feature, gpa), gpa, bit)


@dataclass(frozen=True, kw_only=True)
class HiddenBitKernel(BitKernel):
    """A kernel that sets bits which CPUID does not offer."""

    def wrong(self, cpu: Vcpu, feature: Feature, gpa: int) -> Iterator[Program]:
        """Yield the registrations of one feature that set a hidden bit."""
        for bit, needed in self.scenario.protocol.control_bits(feature).gated:
            if not cpu.may_use(needed):
                yield self.scenario.protocol.register(cpu, feature, gpa | bit)


class HostileReservedBits(Hostile):
    """vCPU 0 sets, one after the other, the bits that must be 0."""

    name = "hostile-reserved-bits"
    title = "hostile: reserved bits set"
    kernel: type[BitKernel] = BitKernel

    def happen(self, scenario: Scenario) -> Program:
        yield Start(0, self.kernel(scenario, event=self).ask_wrongly)
        yield Enter(0)


class HostileNotEnabled(HostileReservedBits):
    """vCPU 0 passes addresses without the bits that enable them."""

    name = "hostile-not-enabled"
    title = "hostile: address not enabled"
    kernel = UnreadyKernel


class HostileHiddenBits(HostileReservedBits):
    """vCPU 0 sets the bits that CPUID hides from it; what every registration sets is offered.

    Linux 66570e966dd9 (KVM_CAP_ENFORCE_PV_FEATURE_CPUID); arch/x86/kvm/x86.c, kvm_pv_enable_async_pf.
    """

    name = "hostile-hidden-bits"
    title = "hostile: bits set that CPUID hides"
    kernel = HiddenBitKernel

    def adapt(self, scenario: Scenario) -> Scenario:
        """The same guest without the CPUID bits of what a registration may ask for, on a host that enforces CPUID."""
        offered = KVM_SUPPORTED if scenario.cpuid is None else scenario.cpuid
        hidden = {needed for _, needed in self.optional(scenario)}
        return super().adapt(replace(scenario, cpuid=offered - hidden, enforce_cpuid=True))

    def optional(self, scenario: Scenario) -> Iterator[tuple[int, int]]:
        """Yield the gated bits without which the host serves a registration, each with its CPUID bit."""
        for feature in scenario.supported():
            bits = scenario.protocol.control_bits(feature)
            yield from ((bit, needed) for bit, needed in bits.gated if not bit & bits.required)


class HostileUnknownType(Hostile):
    """vCPU 0 registers areas of types that the host does not know, if the design has types."""

    name = "hostile-unknown-type"
    title = "hostile: type nobody knows"

    def targets(self, scenario: Scenario, cpu: Vcpu) -> Iterator[tuple[Feature, int]]:
        """Yield a renamed twin of each feature; if the design has no more than the known ones, the feature itself."""
        for feature, gpa in super().targets(scenario, cpu):
            new = renamed(feature, f"{feature.name}-unknown")
            yield (new if scenario.protocol.supports(new) else feature), gpa
