"""An index and a data register, a proposal: one register selects a slot, the other one is that slot.

Proposed by this project, after what ships: PCI's 0xCF8 and 0xCFC (Linux arch/x86/pci/direct.c), QueueSel of virtio-mmio
(virtio 1.2, 4.2.2), IOREGSEL and IOWIN of the I/O APIC (Linux arch/x86/kvm/ioapic.c), the CMOS index (Linux
arch/x86/include/asm/mc146818rtc.h), and HvCallSetVpRegisters, which passes name and value in one call
(arch/arm64/hyperv/hv_core.c).

R1  Writing n to SELECT (0x4b564da0) selects slot n of T1 (``_slots``); DATA (0x4b564da1) is then that slot. A
    registration is two exits.
R2  DATA: an address with bit 0 registers, a value without bit 0 revokes; bit 1 and bits 52 to 63 must be 0. It reads as
    the slot holds it. A refusal (T2) is #GP, and nothing changes but SELECT.
R3  SELECT takes any number. Where there is no such slot, writing DATA is #GP, and it reads 0. (KVM's I/O APIC did not
    compare the index: CVE-2013-1798.)
R4  There is one SELECT for the machine, as of a device, 0 at first: another vCPU between the two exits makes the
    address that of another slot. Linux holds a lock around such a pair (pci_config_lock); here no lock is taken.
    Mitigation ``per-vcpu-select``: each vCPU has its own, as of a register.
R5  On one vCPU, too, a handler of an NMI between the exits that uses the pair changes SELECT. Mitigation ``put-back``:
    whoever uses the pair reads SELECT before, and writes it back: four exits. Linux puts the CMOS index back in its NMI
    handler, from a copy in memory (reassert_nmi, arch/x86/include/asm/mach_traps.h).
R6  Mitigation ``one-shot``: bits 58 to 63 of DATA are the slot's number + 1, and SELECT is not used: one exit.
R7  The list of registers shows the VMM one slot, the selected one. It walks through the slots: writes SELECT, reads
    DATA (KVM_SET_MSRS, KVM_GET_MSRS). Before, it reads what is selected, and restores that last, because a guest may be
    between its two exits (QEMU 5.1, "hw/pci-host: save/restore pci host config register", July 2020).
R8  The restore is T6. INIT is T5, and sets a vCPU's own SELECT (R4) to 0.
R9  Mitigation ``revoke-all``: a CPU that comes up goes through the slots of the types that it knows, and clears those
    that are enabled; those of the VM are cleared by the boot CPU.
R10 With mitigation ``revoke-vm`` (T8), writing all ones to SELECT empties the slots of all.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from workbench.core.contracts import ControlBits, Feature, StateEntry
from workbench.core.host_state import VM, Key, registry
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.steps import Get, Program, Rdmsr, Set, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.protocols._slots import MITIGATIONS, OK, Slots

SELECT, DATA = 0x4B56_4DA0, 0x4B56_4DA1  # in the range that KVM reserves, behind its own
ENABLE, RESERVED = 1, 2
NUMBER = 58  # R6: the lowest bit of the slot's number + 1
GPA_BITS = (1 << 52) - 1 & ~(ENABLE | RESERVED)
REVOKE_VM = (1 << 64) - 1  # R10
SELECTED = "select"  # the name of SELECT's value in the registry


class Indexed(Slots):
    """SELECT and DATA."""

    name = "indexed"
    title = "index and data register (proposal)"
    source = "this project, after PCI's 0xCF8 and virtio-mmio's QueueSel"
    msrs = frozenset({SELECT, DATA})
    interface = "KVM_GET/SET_MSRS"  # R7
    entry_bytes = 16
    readable = True
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "per-vcpu-select": "each vCPU has a SELECT of its own (R4)",
        "put-back": "whoever uses the pair reads SELECT before, and writes it back (R5)",
        "one-shot": "the slot's number is in DATA: one exit (R6)",
        "revoke-all": "a CPU that comes up clears the slots of all types that it knows (R9)",
        **MITIGATIONS,
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._write(self.number(feature), gpa | ENABLE))  # R2

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._write(self.number(feature), 0))  # R2

    def number(self, feature: Feature) -> int:
        """Return the number that selects a feature's slot."""
        return self.slot_of[feature.name]

    def _write(self, slot: int, value: int) -> Program:
        if "one-shot" in self.mitigations:
            outcome = yield Wrmsr(DATA, (slot + 1) << NUMBER | value)  # R6
            return REFUSED if outcome is FAULT else ACCEPTED
        before = yield from self._take(slot)
        outcome = yield Wrmsr(DATA, value)
        yield from self._put_back(before)
        return REFUSED if outcome is FAULT else ACCEPTED

    def _read(self, slot: int) -> Program:
        before = yield from self._take(slot)
        value = yield Rdmsr(DATA)
        yield from self._put_back(before)
        return value

    def _take(self, slot: int) -> Program:
        """Guest: select a slot; return what was selected, if it is to be put back, else FAULT."""
        before: Any = (yield Rdmsr(SELECT)) if "put-back" in self.mitigations else FAULT
        yield Wrmsr(SELECT, slot)  # R1
        return before

    def _put_back(self, before: Any) -> Program:
        if before is not FAULT:
            yield Wrmsr(SELECT, before)  # R5

    def confirm(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return ACCEPTED if (yield from self._read(self.number(feature))) == gpa | ENABLE else REFUSED

    def control_bits(self, feature: Feature) -> ControlBits:
        return ControlBits(ENABLE, RESERVED)

    def revoke_all(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-all``, clear what is enabled."""
        for slot, feature in self.by_slot.items() if "revoke-all" in self.mitigations else ():
            if feature.scope == "vcpu" or cpu.index == 0:
                value = yield from self._read(slot)  # R9
                if value is FAULT:
                    return
                if value & ENABLE:
                    yield from self._write(slot, 0)

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-vm``, empty the slots of all."""
        if self.revokes_everything:
            yield Wrmsr(SELECT, REVOKE_VM)  # R10

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == SELECT:
            if value == REVOKE_VM and self.revokes_everything:
                yield from self.empty_all()  # R10
            else:
                yield from self._select(cpu, value)  # R1
            return HANDLED
        slot = yield from self._slot_in(cpu, value)
        if slot is None:
            return FAULT
        return (yield from self.write_slot(cpu, slot, value, quietly=host_initiated))

    def _slot_in(self, cpu: Vcpu, value: int) -> Program:
        """Host: return the slot to which a value of DATA goes; None if a bit is set that must not be."""
        number = value >> NUMBER if "one-shot" in self.mitigations else 0
        if value & ~(GPA_BITS | ENABLE) != number << NUMBER:
            return None  # R2
        return number - 1 if number else (yield from self._selected(cpu))

    def write_slot(self, cpu: Vcpu, slot: int, value: int, *, quietly: bool) -> Program:
        """Host: put what DATA was written into a slot; #GP if there is no such slot (R3)."""
        gpa = value & GPA_BITS if value & ENABLE else None
        return HANDLED if (yield from self.enter(cpu, slot, gpa, quietly=quietly)) == OK else FAULT

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        slot = yield from self._selected(cpu)
        feature = self.by_slot.get(slot)
        if msr == SELECT or feature is None:
            return slot if msr == SELECT else 0  # R3
        gpa = yield Get(registry(self.owner(cpu, feature), feature.name))
        return 0 if gpa is None else gpa | ENABLE

    def _register_of(self, cpu: Vcpu) -> int:
        """Return whose SELECT a vCPU writes (R4)."""
        return cpu.index if "per-vcpu-select" in self.mitigations else VM

    def _select(self, cpu: Vcpu, slot: int) -> Program:
        yield Set(registry(self._register_of(cpu), SELECTED), slot or None)

    def _selected(self, cpu: Vcpu) -> Program:
        return (yield Get(registry(self._register_of(cpu), SELECTED))) or 0

    def on_init(self, cpu: Vcpu) -> Program:
        yield from super().on_init(cpu)
        if "per-vcpu-select" in self.mitigations:
            yield from self._select(cpu, 0)  # R8

    # -- live migration ------------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved = yield from super().save(cpus)
        for owner in sorted({self._register_of(cpu) for cpu in cpus}):
            selected = yield Get(registry(owner, SELECTED))
            if selected is not None:
                saved += ((owner, SELECTED, selected),)  # R7
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        refused = yield from super().restore(cpus, tuple(item for item in saved if item[1] != SELECTED))  # R8
        for owner, _, slot in (item for item in saved if item[1] == SELECTED):
            yield Set(registry(owner, SELECTED), slot)  # R7
        return refused

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        owners = sorted(key.cpu for key in entries if key.name == SELECTED)
        indices = [StateEntry(owner, "index", 16, 8, self.interface, True, True) for owner in owners]
        return indices + super().state(entries, cpus)
