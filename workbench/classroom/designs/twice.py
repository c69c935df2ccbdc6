"""A call with a descriptor that the host reads twice: once to check it, once to act on it."""

from workbench.design import (
    ACCEPTED,
    FAULT,
    HANDLED,
    REFUSED,
    U8,
    Backed,
    Feature,
    Load,
    Program,
    Protocol,
    Set,
    Store,
    Vcpu,
    Wrmsr,
    area,
    registry,
    struct,
)

CALL = struct("struct my_call { __u64 base; __u32 size; __u8 result; };")


class Twice(Protocol):
    """One register, one descriptor; the host checks before it registers."""

    name, title = "twice", "a host that checks, then reads again"
    descriptor, msrs = CALL, frozenset({0x4B564D20})

    def supports(self, feature: Feature) -> bool:
        return feature.name == "steal_time"

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        yield Store(cpu.descriptor, CALL(base=gpa, size=feature.size, result=255))
        if (yield Wrmsr(0x4B564D20, cpu.descriptor)) is FAULT:
            return REFUSED
        result = yield Load(cpu.descriptor + 12, U8)
        return ACCEPTED if result == 0 else REFUSED

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self.register(cpu, feature, 0))

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        asked = yield Load(value, CALL)
        if asked is None:
            return FAULT
        if asked.base and not (yield Backed(asked.base, asked.size)):
            yield Store(value + 12, 14, U8)  # EFAULT
            return HANDLED
        yield from self.keep(cpu, value)
        yield Store(value + 12, 0, U8)
        return HANDLED

    def keep(self, cpu: Vcpu, value: int) -> Program:
        asked = yield Load(value, CALL)
        yield Set(registry(cpu.index, "steal_time"), asked.base or None)
        yield Set(area(cpu.index, "steal_time"), asked.base or None)
