# shows: event ignore-msrs: the areas are silent; they should be refused
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, Backed, Get, Load, Protocol, Rdmsr, Set, Wrmsr
from workbench.design import area, register

MSR = 0x4B564F00


class Hearing(Protocol):
    name, title = "hearing", "one register for steal time"
    msrs = frozenset({MSR})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        if (yield Wrmsr(MSR, gpa)) is FAULT:
            return REFUSED
        return REFUSED if (yield Rdmsr(MSR)) is FAULT else ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if not (yield Backed(value, 64)):
            return FAULT
        yield Set(register(cpu.index, MSR), value)
        yield Set(area(cpu.index, "steal_time"), value)
        return HANDLED

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        return (yield Get(register(cpu.index, MSR))) or 0


answer = Hearing
