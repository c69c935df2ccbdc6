"""A third protocol in a single file outside the package: one register for all types, the type in its low bits.

R1  The register is 0x4b564d20; bits 63:6 are the area's address, bits 5:1 the type, bit 0 enables.
R2  The host keeps the value for each type; RDMSR cannot show it, because one register serves many types.
"""

from typing import ClassVar

from workbench.design import ACCEPTED, FAULT, HANDLED, VM, Backed, Protocol, Set, Wrmsr, area, registry

MSR_PACKED = 0x4B56_4D20


class Packed(Protocol):
    """A protocol that puts the type into the low bits of the address."""

    name = "packed"
    title = "type in the low bits"
    msrs = frozenset({MSR_PACKED})
    mitigations_known: ClassVar = {"nothing": "changes nothing"}

    def supports(self, feature):
        return feature.align % 64 == 0 and feature.name in self.by_name

    def register(self, cpu, feature, gpa):
        number = list(self.by_name).index(feature.name)
        yield Wrmsr(MSR_PACKED, gpa | number << 1 | 1)  # R1
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        number = value >> 1 & 31
        if number >= len(self.features) or not (yield Backed(value & ~63, 64)):
            return FAULT
        feature = self.features[number]
        owner = cpu.index if feature.scope == "vcpu" else VM
        yield Set(registry(owner, feature.name), value)  # R2
        yield Set(area(owner, feature.name), value & ~63)
        return HANDLED
