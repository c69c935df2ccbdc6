"""An array of typed registers, a proposal: every register tells what it is for, and is written like any other.

Proposed by this project, after a register that ships: GITS_BASER0 to 7 of Arm's GICv3 ITS, eight equal registers with
a read-only Type and size; software allocates a table, writes its address and a valid bit, and KVM saves the registers
as attributes (Arm IHI 0069, GITS_BASER<n>; Linux 6.12 drivers/irqchip/irq-gic-v3-its.c, its_alloc_tables;
arch/arm64/kvm/vgic/vgic-its.c, vgic_mmio_write_its_baser; Documentation/virt/kvm/devices/arm-vgic-its.rst).

R1  Slot n of 16 is register 0x4b564d80 + n, for the type of T1 (``_slots``). One exit each.
R2  Reading gives: bits 63 to 58 the type, n + 1 (0: there is no such slot); bit 57, the area belongs to the VM; bits 56
    to 52 the size, as its logarithm to the base 2, rounded up; bits 51 to 2 the address; bit 0, enabled.
R3  Writing an address with bit 0 registers; a value without bit 0 revokes, and its address is not kept.
R4  #GP, and nothing changes: bit 1 set; a description (bits 63 to 52) that is neither 0 nor the slot's own, so that
    what was read can be written; an address that T2 refuses; a slot that is not there.
R5  The guest takes #GP for a refusal. Where an unknown register is ignored (kvm.ignore_msrs), it learns nothing.
    Mitigation ``read-back``: it reads the slot, a second exit, and believes what it reads.
R6  The VMM carries the slots like other registers, by the list of registers, and needs no change for a new type: 16
    bytes each in KVM_GET_MSRS and KVM_SET_MSRS. To the VMM a slot reads without its description, which is the host's.
R7  The restore is T6, the reset T5.
R8  What an earlier kernel left is found by reading: mitigation ``revoke-all``, a CPU that comes up reads all slots and
    clears those that are enabled, whatever their type; those of the VM are cleared by the boot CPU.
R9  A vCPU reaches its own slots and those of the VM. With mitigation ``revoke-vm`` (T8), writing 1 to the register
    after the last slot empties the slots of all.

What cannot be said: an area of more than a page, a size other than the type's, another vCPU's area.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.core.contracts import ControlBits, Feature
from workbench.core.host_state import registry
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, UNKNOWN
from workbench.core.steps import Get, Program, Rdmsr, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.protocols._slots import MITIGATIONS, OK, SLOT_COUNT, Slots

FIRST_SLOT = 0x4B56_4D80  # R1: in the range that KVM reserves, behind its own
REVOKE_VM = FIRST_SLOT + SLOT_COUNT  # R9
ENABLE, RESERVED = 1, 2
DESCRIPTION = 52  # R2: the lowest bit of what a slot tells of itself
GPA_BITS = (1 << DESCRIPTION) - 1 & ~(ENABLE | RESERVED)
OF_VM = 1 << 57


class MsrArray(Slots):
    """16 registers, each for one type of area, which it tells."""

    name = "msr_array"
    title = "array of typed MSRs (proposal)"
    source = "this project, after GITS_BASER (Arm GICv3 ITS)"
    msrs = frozenset(range(FIRST_SLOT, REVOKE_VM + 1))
    interface = "KVM_GET/SET_MSRS"  # R6
    entry_bytes = 16
    readable = True
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "read-back": "the guest reads a slot after writing it, and believes what it reads (R5)",
        "revoke-all": "a CPU that comes up reads all slots and clears those that are enabled (R8)",
        **MITIGATIONS,
    }

    def described(self, slot: int) -> int:
        """Return what a slot tells of itself, in the bits in which it does (R2); 0 if there is no such slot."""
        feature = self.by_slot.get(slot)
        if feature is None:
            return 0
        size = (feature.size - 1).bit_length()
        return (slot + 1) << 58 | (OF_VM if feature.scope == "vm" else 0) | size << DESCRIPTION

    # -- the guest's side ----------------------------------------------------------------------------

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._write(cpu, feature, gpa | ENABLE))  # R3

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._write(cpu, feature, 0))  # R3

    def _write(self, cpu: Vcpu, feature: Feature, value: int) -> Program:
        slot = FIRST_SLOT + self.slot_of[feature.name]
        outcome = yield Wrmsr(slot, value)  # R1
        if outcome is FAULT:
            return REFUSED
        if "read-back" in self.mitigations and not self._shows((yield Rdmsr(slot)), value):
            return REFUSED  # R5
        return ACCEPTED

    def _shows(self, read: object, value: int) -> bool:
        """Tell whether a slot that there is was read, and holds ``value``."""
        return isinstance(read, int) and read >> 58 > 0 and read & (GPA_BITS | ENABLE) == value

    def confirm(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        read = yield Rdmsr(FIRST_SLOT + self.slot_of[feature.name])
        return ACCEPTED if self._shows(read, gpa | ENABLE) else REFUSED

    def control_bits(self, feature: Feature) -> ControlBits:
        return ControlBits(ENABLE, RESERVED)  # R3, R4

    def revoke_all(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-all``, clear what the slots show to be enabled, without knowing types."""
        for slot in range(SLOT_COUNT) if "revoke-all" in self.mitigations else ():
            value = yield Rdmsr(FIRST_SLOT + slot)  # R8
            if value is FAULT:
                return
            if value & ENABLE and (cpu.index == 0 or not value & OF_VM):
                yield Wrmsr(FIRST_SLOT + slot, 0)

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-vm``, empty the slots of all."""
        if self.revokes_everything:
            yield Wrmsr(REVOKE_VM, 1)  # R9

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == REVOKE_VM:
            return (yield from self._revoke_vm(value))
        slot = msr - FIRST_SLOT
        told = value & ~(GPA_BITS | ENABLE | RESERVED)
        if value & RESERVED or told not in (0, self.described(slot)):
            return FAULT  # R4
        gpa = value & GPA_BITS if value & ENABLE else None  # R3
        result = yield from self.enter(cpu, slot, gpa, quietly=host_initiated)  # R7
        return HANDLED if result == OK else FAULT  # R4

    def _revoke_vm(self, value: int) -> Program:
        if not self.revokes_everything:
            return UNKNOWN
        if value != 1:
            return FAULT
        yield from self.empty_all()  # R9
        return HANDLED

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        if msr == REVOKE_VM:
            return 0 if self.revokes_everything else UNKNOWN
        feature = self.by_slot.get(msr - FIRST_SLOT)
        if feature is None:
            return 0  # R2
        gpa = yield Get(registry(self.owner(cpu, feature), feature.name))
        told = 0 if host_initiated else self.described(msr - FIRST_SLOT)  # R6
        return told if gpa is None else told | gpa | ENABLE
