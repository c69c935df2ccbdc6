# shows: a first item without an address: restore ended with ValueError
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, Backed, Get, Protocol, Set, Wrmsr, area, register

MSR = 0x4B564F00


class Tolerant(Protocol):
    name, title = "tolerant", "one register for steal time"
    msrs = frozenset({MSR})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        return REFUSED if (yield Wrmsr(MSR, gpa)) is FAULT else ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if value % 64 or not (yield Backed(value, 64)):
            return FAULT
        yield Set(register(cpu.index, MSR), value)
        yield Set(area(cpu.index, "steal_time"), value)
        return HANDLED

    def save(self, cpus):
        saved = ()
        for cpu in cpus:
            gpa = yield Get(register(cpu.index, MSR))
            if gpa is not None:
                saved += ((cpu.index, gpa),)
        return saved

    def restore(self, cpus, saved):
        for index, gpa in saved:
            if 0 <= index < len(cpus):
                yield from self.on_wrmsr(cpus[index], MSR, gpa, host_initiated=True)


answer = Tolerant
