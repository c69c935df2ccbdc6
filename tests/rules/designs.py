"""A right design as text, and the same with one slip: ``slip(("right text", "wrong text"), ...)``."""

GOOD = '''\
"""One register for steal time.

R1  The register takes the address, with bit 0 set; 0 revokes.
"""

from workbench.design import (
    ACCEPTED, FAULT, HANDLED, REFUSED, U64, Backed, Get, Load, Protocol, Rdmsr, Set, StateEntry, Store, Wrmsr, area,
    register,
)

MSR = 0x4B564D20


class Mine(Protocol):
    name = "mine"
    title = "one register"
    msrs = frozenset({MSR})

    def supports(self, feature):
        return feature.name == "steal_time"

    def register(self, cpu, feature, gpa):
        outcome = yield Wrmsr(MSR, gpa | 1)
        return REFUSED if outcome is FAULT else ACCEPTED

    def unregister(self, cpu, feature, gpa):
        yield Wrmsr(MSR, 0)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        gpa = value & ~63
        if value & 1 and not (yield Backed(gpa, 64)):
            return FAULT
        yield Set(register(cpu.index, MSR), value or None)
        yield Set(area(cpu.index, "steal_time"), gpa if value & 1 else None)
        return HANDLED
'''


def slip(*changes):
    """Return GOOD with each (right, wrong) applied; the right text must be there."""
    text = GOOD
    for right, wrong in changes:
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    return text


def line_of(text, piece):
    """Return the number of the only line of ``text`` that contains ``piece``."""
    (number,) = [number for number, line in enumerate(text.splitlines(), 1) if piece in line]
    return number
