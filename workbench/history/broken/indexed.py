"""An index and a data register: the host does not compare the index with its table, or the VMM forgets it.

V1  The host accepts any index in SELECT, and at a write of DATA reaches memory beyond its 16 slots (R3 of the design).
V2  Mitigation ``check-index``: writing DATA is #GP where there is no such slot.
V3  The VMM carries the slots, and not the index: a guest that is migrated between its two exits goes on with slot 0.
V4  Mitigation ``carry-index``: the VMM restores it last (R7).

Source of V1: CVE-2013-1798, "KVM: Fix bounds checking in ioapic indirect register reads": the pair IOREGSEL and IOWIN
of the I/O APIC, a table of 24 entries, and reads beyond it. That table holds interrupts; the pair is the same here and
the table holds areas, as in every registration by index and data (virtio-mmio QueueSel). Source of V3: QEMU before 5.1
lost the address in 0xCF8, and the guest's access by 0xCFC was ignored ("hw/pci-host: save/restore pci host config
register", Hogan Wang, July 2020); the pair is the same, what it reaches is the configuration of a device there.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from workbench.core.contracts import Feature
from workbench.core.outcome import HANDLED
from workbench.core.steps import Note, Program
from workbench.core.vcpu import Vcpu
from workbench.history.properties import FOREIGN
from workbench.protocols._slots import SLOT_COUNT
from workbench.protocols.indexed import SELECTED, Indexed

BEYOND = 200  #: the index that its guest writes for a type without a slot


class IndexUnchecked(Indexed):
    """The design before its check."""

    name = "index_unchecked"
    title = "index and data, index unchecked (2013)"
    mitigations_known: ClassVar[Mapping[str, str]] = {"check-index": "an index behind the table is #GP (V2)"}

    def number(self, feature: Feature) -> int:
        return self.slot_of.get(feature.name, BEYOND)

    def write_slot(self, cpu: Vcpu, slot: int, value: int, *, quietly: bool) -> Program:
        if slot >= SLOT_COUNT and "check-index" not in self.mitigations:
            yield Note(FOREIGN, True)  # V1
            return HANDLED
        return (yield from super().write_slot(cpu, slot, value, quietly=quietly))  # V2


class IndexForgotten(Indexed):
    """The design under a VMM that carries the slots alone."""

    name = "index_forgotten"
    title = "index and data, index not migrated (until 2020)"
    mitigations_known: ClassVar[Mapping[str, str]] = {"carry-index": "the VMM restores the index last (V4)"}

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved = yield from super().save(cpus)
        keeps = "carry-index" in self.mitigations
        return saved if keeps else tuple(item for item in saved if item[1] != SELECTED)  # V3, V4
