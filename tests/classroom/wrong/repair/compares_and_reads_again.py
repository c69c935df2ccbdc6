# shows: the host reads the descriptor again
from workbench.design import ACCEPTED, FAULT, HANDLED, REFUSED, U8, Backed, Load, Protocol, Set, Store, Wrmsr
from workbench.design import area, registry, struct

CALL = struct("struct my_call { __u64 base; __u32 size; __u8 result; };")


class Twice(Protocol):
    """One register, one descriptor; the host checks before it registers."""

    name, title = "twice", "a host that checks, then reads again"
    descriptor, msrs = CALL, frozenset({0x4B564D20})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        yield Store(cpu.descriptor, CALL(base=gpa, size=feature.size, result=255))
        if (yield Wrmsr(0x4B564D20, cpu.descriptor)) is FAULT:
            return REFUSED
        result = yield Load(cpu.descriptor + 12, U8)
        return ACCEPTED if result == 0 else REFUSED

    def unregister(self, cpu, feature, gpa):
        return (yield from self.register(cpu, feature, 0))

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        asked = yield Load(value, CALL)
        if asked is None:
            return FAULT
        if asked.base and not (yield Backed(asked.base, asked.size)):
            yield Store(value + 12, 14, U8)  # EFAULT
            return HANDLED
        again = yield Load(value, CALL)
        if again.base != asked.base:
            return FAULT
        yield from self.keep(cpu, asked)
        yield Store(value + 12, 0, U8)
        return HANDLED

    def keep(self, cpu, asked):
        yield Set(registry(cpu.index, "steal_time"), asked.base or None)
        yield Set(area(cpu.index, "steal_time"), asked.base or None)


answer = Twice
