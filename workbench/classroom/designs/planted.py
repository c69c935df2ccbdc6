"""A design with a fault in one line, which only some questions to the explorer can show."""

from collections.abc import Sequence
from typing import Any

from workbench.design import (
    ACCEPTED,
    FAULT,
    HANDLED,
    REFUSED,
    Backed,
    Feature,
    Get,
    Program,
    Protocol,
    Set,
    Vcpu,
    Wrmsr,
    area,
    register,
)

#: One register for each feature.
NUMBERS = {"kvmclock": 0x4B564F00, "pv_eoi": 0x4B564F01, "steal_time": 0x4B564F02}


class Planted(Protocol):
    """One register for each of three features; 0 revokes."""

    name, title = "planted", "one register for each feature, with a fault"
    msrs = frozenset(NUMBERS.values())

    def supports(self, feature: Feature) -> bool:
        return feature.name in NUMBERS

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        outcome = yield Wrmsr(NUMBERS[feature.name], gpa)
        return REFUSED if outcome is FAULT else ACCEPTED

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        outcome = yield Wrmsr(NUMBERS[feature.name], 0)
        return REFUSED if outcome is FAULT else ACCEPTED

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        feature = next(one for one in self.features if NUMBERS[one.name] == msr)
        if value == 0:
            yield from self.keep(msr, feature, None)
            return HANDLED
        if not (yield Backed(value, feature.size)):
            return FAULT
        yield from self.keep(msr, feature, value, cpu.index)
        return HANDLED

    def keep(self, msr: int, feature: Feature, gpa: int | None, owner: int = 0) -> Program:
        yield Set(register(owner, msr), gpa)
        yield Set(area(owner, feature.name), gpa)

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        return (yield Get(register(cpu.index, msr))) or 0

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        for cpu in cpus:
            for feature in self.features:
                gpa = yield Get(register(cpu.index, NUMBERS[feature.name]))
                saved += ((cpu.index, NUMBERS[feature.name], gpa),) if gpa else ()
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        for index, msr, gpa in saved:
            yield from self.on_wrmsr(cpus[index], msr, gpa, host_initiated=True)


class Sound(Planted):
    """The same design without the fault: what fails under it too is not the planted fault."""

    name, title = "sound", "one register for each feature"

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        feature = next(one for one in self.features if NUMBERS[one.name] == msr)
        if value and not (yield Backed(value, feature.size)):
            return FAULT
        yield from self.keep(msr, feature, value or None, cpu.index)
        return HANDLED
