"""Registration by an index register and a data register, with an unchecked index.

V1  The guest writes the number of a slot to INDEX and an address to DATA; the host enters it into its table.
V2  The table has 24 slots; the host accepts any index, and a larger one reaches memory beyond the table.
V3  Mitigation ``check-index``: an index beyond the table is #GP.

Source: CVE-2013-1798, "KVM: Fix bounds checking in ioapic indirect register reads": the pair IOREGSEL and IOWIN of the
I/O APIC, a table of 24 entries, and reads beyond it. That table holds interrupts; the pair is the same here and
the table holds areas, as in every registration by index and data (virtio-mmio QueueSel).
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import area, register
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.steps import Get, Note, Program, Set, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.history.properties import FOREIGN

INDEX, DATA = 0x4B56_4DF0, 0x4B56_4DF1
SLOTS = 24
SLOT_OF = {"steal_time": 0}


class Indexed(Protocol):
    """One register selects an entry, the other writes it."""

    name = "indexed"
    title = "index and data, index unchecked (2013)"
    msrs = frozenset({INDEX, DATA})
    mitigations_known: ClassVar[Mapping[str, str]] = {"check-index": "an index behind the table is #GP (V3)"}

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        yield Wrmsr(INDEX, SLOT_OF.get(feature.name, 200))  # V1
        outcome = yield Wrmsr(DATA, gpa)
        return REFUSED if outcome is FAULT else ACCEPTED

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == INDEX:
            yield Set(register(cpu.index, INDEX), value)
            return HANDLED
        index = yield Get(register(cpu.index, INDEX))
        if index >= SLOTS:
            if "check-index" in self.mitigations:
                return FAULT  # V3
            yield Note(FOREIGN, True)  # V2
            return HANDLED
        for name in (name for name, slot in SLOT_OF.items() if slot == index):
            yield Set(area(cpu.index, name), value)
        return HANDLED
