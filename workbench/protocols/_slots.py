"""A table of typed slots: the host's side that several proposed designs share. How a guest reaches a slot is their own.

T1  Slot n belongs to one type of area, the n-th of SLOTS; the binding is ABI, and is appended to only. A type that KVM
    does not have takes the next free one of 16 slots, in the order in which features are named.
T2  An area must be aligned as the ABI of its type says, lie within one page, and be RAM that the host can write.
    Otherwise it is refused, and nothing changes.
T3  A slot holds one address: for each vCPU, or for the VM if the type belongs to the VM. A registration replaces the
    one before; what is due at a registration is written at once.
T4  A slot that the VMM serves (migration control, watchdog) is passed on to it, with the values of the call.
T5  INIT empties the slots of its vCPU.
T6  The VMM restores each slot by the check of T2, goes on after one that is refused, and writes no payload then.
T7  No area is compared with another. Mitigation ``refuse-overlap``: one that shares bytes with another of its vCPU or
    of the VM is refused.
T8  No vCPU empties the slots of another. Mitigation ``revoke-vm``: one call empties those of all vCPUs and of the VM; a
    kernel makes it when it ends or starts.
T9  When an area of the VM or of another vCPU is revoked, an update of it may be under way. Mitigation ``quiesce``: the
    revocation completes when none is.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar

from workbench.core.contracts import Feature, StateEntry
from workbench.core.host_state import VM, Key, pending, registry
from workbench.core.memory import PAGE_SIZE
from workbench.core.restoring import written
from workbench.core.steps import AllVcpus, Backed, Get, Program, Quiesce, Set, ToUser
from workbench.core.vcpu import Vcpu
from workbench.protocols._kept import Kept
from workbench.protocols._registry import OK
from workbench.protocols.generic import EBUSY, EFAULT, EINVAL, TYPES

#: The types in order of their slots (T1), as numbered for the call of 2011.
SLOTS = tuple(TYPES)
SLOT_COUNT = 16
MITIGATIONS = MappingProxyType({
    "refuse-overlap": "an area that overlaps another of its vCPU or of the VM is refused (T7)",
    "revoke-vm": "one call empties the slots of all; a kernel makes it when it ends or starts (T8)",
    "quiesce": "a revocation for others waits for updates that are under way (T9)",
})  # fmt: skip


class Slots(Kept):
    """A host with a table of typed slots; the address of each is kept under its feature's name."""

    readable: ClassVar[bool] = False  #: a register shows the guest what a slot holds
    entry_bytes: ClassVar[int] = 8  #: of one slot, in the interface that reads and writes it

    def __init__(self, features: Sequence[Feature], mitigations: Sequence[str] = ()) -> None:
        super().__init__(features, mitigations)
        others = tuple(feature.name for feature in self.features if feature.name not in TYPES)
        self.slot_of = {name: slot for slot, name in enumerate((*SLOTS, *others)[:SLOT_COUNT])}
        self.by_slot = {self.slot_of[one.name]: one for one in self.features if one.name in self.slot_of}

    def supports(self, feature: Feature) -> bool:
        """Tell whether there is a slot for it, and it fits into a page (T1, T2)."""
        return feature.name in self.slot_of and feature.size <= PAGE_SIZE

    @property
    def revokes_everything(self) -> bool:
        return "revoke-vm" in self.mitigations

    # -- the host's side -----------------------------------------------------------------------------

    def enter(self, cpu: Vcpu, slot: int, gpa: int | None, *, quietly: bool = False) -> Program:
        """Host: put an address into a slot, or none; return OK or an errno. ``quietly``: write no payload now."""
        feature = self.by_slot.get(slot)
        if feature is None:
            return EINVAL
        if gpa is not None and (refusal := (yield from self._check(cpu, feature, gpa))) != OK:
            return refusal  # T2
        if feature.served_by == "user" and not quietly:
            yield ToUser("slot")  # T4
        owner = self.owner(cpu, feature)
        replaces = (yield Get(registry(owner, feature.name))) is not None
        yield from self.keep(owner, feature, gpa)  # T3
        if gpa is not None and feature.update_when == "request":
            yield Set(pending(cpu.index, feature.name), True)
        if gpa is not None and feature.update_when in ("request", "registration") and not quietly:
            yield from self.deliver(cpu, feature)
        if owner == VM and replaces:
            yield from self._quiesce()
        return OK

    def _check(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if gpa % feature.align or gpa % PAGE_SIZE + feature.size > PAGE_SIZE:
            return EINVAL
        if not (yield Backed(gpa, feature.size)):
            return EFAULT
        if "refuse-overlap" in self.mitigations and (yield from self._overlaps(cpu, feature, gpa)):
            return EBUSY  # T7
        return OK

    def _overlaps(self, cpu: Vcpu, wanted: Feature, gpa: int) -> Program:
        for other in self.kept():
            held = None if other.name == wanted.name else (yield Get(registry(self.owner(cpu, other), other.name)))
            if held is not None and held < gpa + wanted.size and gpa < held + other.size:
                return True
        return False

    def empty_all(self) -> Program:
        """Host: empty the slots of all vCPUs and of the VM (T8)."""
        yield from self.forget((VM, *(yield AllVcpus())))
        yield from self._quiesce()

    def _quiesce(self) -> Program:
        if "quiesce" in self.mitigations:
            yield Quiesce()  # T9

    # -- live migration ------------------------------------------------------------------------------

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self.write_back))

    def write_back(self, cpus: Sequence[Vcpu], item: tuple[int, str, int]) -> Program:
        owner, name, gpa = item
        return (yield from self.enter(cpus[max(owner, 0)], self.slot_of[name], gpa, quietly=True)) == OK  # T6

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        slots = {key: value for key, value in entries.items() if key.kind == "registry" and key.name in self.slot_of}
        return [
            entry._replace(entry_bytes=self.entry_bytes, architected=self.readable)
            for entry in super().state(slots, cpus)
        ]


__all__ = ["EINVAL", "MITIGATIONS", "OK", "SLOTS", "SLOT_COUNT", "Slots"]
