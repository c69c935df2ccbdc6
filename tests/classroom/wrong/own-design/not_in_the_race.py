# shows: descriptor-race: no payload ever arrives in the area
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, AllVcpus, Backed, Now, Get, Protocol, Rdmsr, Set, Wrmsr
from workbench.design import area, register

MSR = 0x4B564F00


class Own(Protocol):
    name, title = "own", "one register for steal time, which can be read back"
    msrs = frozenset({MSR})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        if (yield Wrmsr(MSR, gpa | 1)) is FAULT:
            return REFUSED
        return ACCEPTED if (yield Rdmsr(MSR)) == gpa | 1 else REFUSED

    def unregister(self, cpu, feature, gpa):
        return REFUSED if (yield Wrmsr(MSR, 0)) is FAULT else ACCEPTED

    def revoke_all(self, cpu):
        yield Wrmsr(MSR, 0)

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        many = yield AllVcpus()
        now = yield Now()
        if value and len(many) == 2 and now.tsc < 1000:
            return FAULT
        gpa = value & ~1
        if value and (value & 1 == 0 or gpa % 64 or not (yield Backed(gpa, 64))):
            return FAULT
        yield Set(area(cpu.index, "steal_time"), gpa if value else None)
        yield Set(register(cpu.index, MSR), value or None)
        return HANDLED

    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        return (yield Get(register(cpu.index, MSR))) or 0

    def on_init(self, cpu):
        yield Set(area(cpu.index, "steal_time"), None)
        yield Set(register(cpu.index, MSR), None)

    def save(self, cpus):
        saved = ()
        for cpu in cpus:
            saved += ((cpu.index, (yield Get(register(cpu.index, MSR))) or 0),)
        return saved

    def restore(self, cpus, saved):
        for index, value in saved:
            yield from self.on_wrmsr(cpus[index], MSR, value, host_initiated=True)


answer = Own
