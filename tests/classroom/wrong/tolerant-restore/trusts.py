# shows: a first item whose address is beyond the end of RAM: the item of vCPU 0 was damaged or missing, and the host
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
        for index, gpa in saved:  # trusts every item
            yield Set(register(index, MSR), gpa)
            yield Set(area(index, "steal_time"), gpa)


answer = Tolerant
