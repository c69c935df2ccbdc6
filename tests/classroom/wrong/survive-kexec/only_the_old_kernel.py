# shows: kexec-to-silent: unknown to guest, because the host serves an address that no running kernel
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, Backed, Protocol, Set, Wrmsr, area, register

MSR = 0x4B564F00


class Leaving(Protocol):
    name, title = "leaving", "one register for steal time"
    msrs = frozenset({MSR})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        return REFUSED if (yield Wrmsr(MSR, gpa)) is FAULT else ACCEPTED

    def unregister(self, cpu, feature, gpa):
        return REFUSED if (yield Wrmsr(MSR, 0)) is FAULT else ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if value == 0:
            yield Set(register(cpu.index, MSR), None)
            yield Set(area(cpu.index, "steal_time"), None)
            return HANDLED
        if not (yield Backed(value, 64)):
            return FAULT
        yield Set(register(cpu.index, MSR), value)
        yield Set(area(cpu.index, "steal_time"), value)
        return HANDLED


answer = Leaving
