"""Protocols that lanes must get right although something in each of them differs from vCPU to vCPU."""

from workbench.clayout.layout import U32, U64, struct
from workbench.core.contracts import Protocol
from workbench.core.host_state import Key, area, register
from workbench.core.outcome import ACCEPTED, HANDLED
from workbench.core.steps import Get, Load, Set, Store, Wrmsr
from workbench.errors import WorkbenchError

MSR = 0x4B56_4DF0
BLOCK = 0x8000


class Own(Protocol):
    """A protocol with one register; each subclass defines its handler."""

    name = "own"
    msrs = frozenset({MSR})

    def register(self, cpu, feature, gpa):
        yield Wrmsr(MSR, gpa)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(register(cpu.index, msr), value)
        return HANDLED


class OneIsSpecial(Own):
    """Treats vCPU 7 differently."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(register(cpu.index, msr), value if cpu.index != 7 else 0)
        return HANDLED


class OneIsSlower(Own):
    """The handler takes one step more for vCPU 7."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        for _ in range(2 if cpu.index == 7 else 1):
            yield Set(register(cpu.index, msr), value)
        return HANDLED


class OneAddress(Own):
    """Every vCPU counts in the same word."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        seen = yield Load(BLOCK, U32)
        yield Store(BLOCK, seen + 1, U32)
        yield Set(register(cpu.index, msr), seen)
        return HANDLED


class Neighbours(Own):
    """Every vCPU reads what the one before it wrote."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        here = BLOCK + cpu.index * 4096
        before = yield Load(here - 4096, U32)
        yield Store(here, before + 1, U32)
        return HANDLED


class Overwriters(Own):
    """Every vCPU writes where the next one will write."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        here = BLOCK + cpu.index * 4096
        yield Store(here, cpu.index, U32)
        yield Store(here + 4096, 7, U32)
        return HANDLED


class Packed(Own):
    """Areas of all vCPUs in one array."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Store(BLOCK + 8 * cpu.index, value, U64)
        return HANDLED


class OneEntry(Own):
    """All vCPUs count in one entry."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        seen = (yield Get(register(-1, msr))) or 0
        yield Set(register(-1, msr), seen + 1)
        return HANDLED


class NeighboursEntry(Own):
    """Every vCPU reads the entry of the one before."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        before = (yield Get(register(cpu.index - 1, msr))) or 0
        yield Set(register(cpu.index, msr), before + 1)
        return HANDLED


class SomebodysEntry(Own):
    """Every vCPU reads the entry of vCPU 5."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        before = yield Get(register(5, msr))
        yield Set(register(cpu.index, msr), value if before else 1)
        return HANDLED


class NameOfItsOwn(Own):
    """The key of each entry depends on its value."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(Key("mine", 0, value), value)
        return HANDLED


class Hidden(Own):
    """Keeps state in a Python attribute, which no migration would carry."""

    def __init__(self, features, mitigations=()):
        super().__init__(features, mitigations)
        self.calls = 0

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        self.calls += 1
        yield Set(register(cpu.index, msr), self.calls)
        return HANDLED


class Catcher(Own):
    """Catches every exception."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        try:
            text = str(value)
        except:  # noqa: E722
            text = "none"
        yield Set(register(cpu.index, msr), text)
        return HANDLED


class Boxed(Own):
    """Keeps a value in a Python object that the engine cannot inspect."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        yield Set(register(cpu.index, msr), KEPT(base=value))
        return HANDLED


KEPT = struct("struct kept { u64 base; };")
UNFIT = [OneIsSpecial, OneIsSlower, OneAddress, Neighbours, Packed, OneEntry, NeighboursEntry, SomebodysEntry]
UNFIT += [Overwriters, NameOfItsOwn, Catcher, Boxed]


class Breaks(Own):
    """Raises an error on vCPU 9."""

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        if cpu.index == 9:
            raise WorkbenchError("vCPU 9")
        yield Set(area(cpu.index, "own"), value)
        return HANDLED
