"""A sequence of operations under construction, to which scenarios append.

The rule kept here: a script tracks what decides whether an operation is valid (the memslots, the CPUID bits offered,
whether there is a LAPIC); code that appends operations consults it.
"""

from random import Random
from typing import Any

from workbench.fuzz.palette import SLOTS, Palette, pick
from workbench.replay.operations.machines import CHOSEN

VCPUS = 2


class Script:
    """The operations so far, and the state that scenarios consult so that the sequence stays valid."""

    def __init__(self, rng: Random, *, irqchip: bool, offer: tuple[frozenset[int], ...], enforcement: bool) -> None:
        self.rng, self.irqchip, self._enforcement = rng, irqchip, enforcement
        self.palette = Palette(rng)
        self.operations: list[tuple[str, dict[str, Any]]] = []
        self.cpu = 0  #: the vCPU that scenarios act on; changes now and then
        self.offer = offer
        self.add("machine", vcpus=VCPUS, irqchip=irqchip, protocol=CHOSEN)
        self.slots = {gpa for gpa, _ in SLOTS if rng.random() < 0.93}
        for gpa, size in SLOTS:
            if gpa in self.slots:
                self.add("ram", gpa=gpa, size=size)

    def add(self, op: str, /, **arguments: Any) -> None:
        """Append one operation."""
        self.operations.append((op, arguments))

    def enforce(self, on: bool) -> None:
        """Let the CPUID bits of this vCPU decide which registers exist, or not."""
        if self._enforcement:
            self.add("cpuid", cpu=self.cpu, enforce=on, features=self.offer[self.cpu])

    def wrmsr(self, msr: int, value: int) -> None:
        """The guest writes; one time in five the host does instead."""
        op = "wrmsr" if self.rng.random() < 0.8 else "host_set_msr"
        self.add(op, cpu=self.cpu, msr=msr, value=value)

    def run(self) -> None:
        """Enter the guest once."""
        self.add("run", cpu=self.cpu)

    def look(self, gpa: int, size: int = 64) -> None:
        """Load what lies at ``gpa``."""
        self.add("load", gpa=gpa, size=size)

    def good(self) -> int:
        """Return an address of 64 bytes' alignment, mostly in memory."""
        return pick(self.rng, self.palette.good) & ~0x3F

    def other_cpu(self) -> None:
        """Let scenarios act on another vCPU from now on."""
        self.cpu = (self.cpu + 1) % VCPUS
