"""The call of 2011 with its two faults repaired: the block in memory is read once, and the answer is in a register.

A proposal of this project. That a block is a command, and not an object that stays, is how s390's DIAG 0x258 (Linux
arch/s390/kvm/diag.c), fw_cfg DMA (QEMU docs/specs/fw_cfg.rst), zPCI's MPCIFC (Linux arch/s390/pci/pci.c) and virtio-ccw
(virtio 1.2, 4.3.2) work. The fields are those of the patch of January 2011 without its result.

R1  The guest fills a block {base, size, type, flags} at an address of its choice and passes it in hypercall 0x4d; the
    answer in the return register is 0 or a negative errno. One exit.
R2  The host copies the block once and decides on the copy. It does not keep the block's address, nor write into it.
R3  A block that the host cannot read is -EFAULT. Flags other than 0, a type without a slot (T1 of ``_slots``), and a
    size below the feature's are -EINVAL; a larger size is accepted, and means no more.
R4  The address is checked by T2: -EINVAL or -EFAULT, and nothing changes.
R5  Size 0 revokes. The guest looks at the answer.
R6  Each slot is one register of the VMM, 8 bytes: size and type follow from which one it is. The interface exists, also
    on x86 since Linux 6.18 (KVM_SET_ONE_REG with KVM_X86_REG_KVM); the numbers would be new. Restore and reset are T6
    and T5.
R7  With mitigation ``revoke-vm`` (T8), type ~0 with size 0 empties the slots of all.
R8  In an encrypted guest the block, too, must be shared with the host.

What cannot be said: an area of more than a page, an area of another vCPU, a type that the host does not know.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.clayout.layout import struct
from workbench.core.contracts import Feature
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.steps import Hypercall, Load, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.protocols._slots import EINVAL, MITIGATIONS, OK, Slots
from workbench.protocols.generic import EFAULT

KVM_HC_REGISTER_AREA = 0x4D
EVERYTHING = 0xFFFF_FFFF  # R7
BLOCK = struct("struct kvm_area_block { __u64 base; __u32 size; __u32 type; __u64 flags; };")


class CommandBlock(Slots):
    """KVM_HC_REGISTER_AREA."""

    name = "command_block"
    title = "the call of 2011, repaired (proposal)"
    source = "this project, after DIAG 0x258 and fw_cfg DMA"
    descriptor = BLOCK
    hypercalls = frozenset({KVM_HC_REGISTER_AREA})
    interface = "KVM_SET_ONE_REG"  # R6
    mitigations_known: ClassVar[Mapping[str, str]] = MITIGATIONS

    # -- the guest's side ----------------------------------------------------------------------------

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._call(cpu, gpa, feature.size, self._type(feature)))

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._call(cpu, gpa, 0, self._type(feature)))  # R5

    def _type(self, feature: Feature) -> int:
        """Return the number that the block has for a feature; 0, which no slot has, for one without a slot."""
        return self.slot_of.get(feature.name, -1) + 1

    def _call(self, cpu: Vcpu, base: int, size: int, kind: int) -> Program:
        yield Store(cpu.descriptor, BLOCK.on(cpu.abi)(base=base, size=size, type=kind))
        answer = yield Hypercall(KVM_HC_REGISTER_AREA, (cpu.descriptor,))  # R1
        return ACCEPTED if answer == OK else REFUSED  # R5

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-vm``, empty the slots of all."""
        if self.revokes_everything:
            yield from self._call(cpu, 0, 0, EVERYTHING)  # R7

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        block = yield Load(arguments[0], BLOCK)  # R2
        if block is None:
            return -EFAULT  # R3, R8
        if self.revokes_everything and (block.type, block.size) == (EVERYTHING, 0):
            yield from self.empty_all()  # R7
            return OK
        feature = self.by_slot.get(block.type - 1)
        if feature is None or block.flags or 0 < block.size < feature.size:
            return -EINVAL  # R3
        return -(yield from self.enter(cpu, block.type - 1, block.base if block.size else None))  # R4, R5
