"""s390's DIAG 0x258, as KVM does it: a block in memory that is a command, read once and forgotten.

Source: Linux 6.12 arch/s390/kvm/diag.c (__diag_page_ref_service), arch/s390/kvm/kvm-s390.c (kvm_arch_setup_async_pf,
kvm_arch_vcpu_ioctl_normal_reset, kvm_arch_vcpu_ioctl_set_one_reg); guest: arch/s390/mm/pfault.c and kernel/smp.c; the
call itself: z/VM CP Programming Services, SC24-6084.

R1  DIAG 0x258 passes the address of a block of 40 bytes {code, sub-code, length, version, token address, select mask,
    compare mask, reserved} in one register, and answers in another. One exit; for the CPU itself.
R2  The block is aligned to 8 bytes, has code 0x258, version 2 and at least 5 doublewords; otherwise the guest takes a
    program interruption (specification; addressing if it cannot be read) and gets no answer. Here: the negative number
    of the interruption.
R3  Sub-code 0 establishes. While a token is established, the answer is 8, and the token does not change.
R4  The token's address is aligned to 8 bytes, the compare mask has no bit that the select mask lacks, and the reserved
    word is 2^63 (specification); the address is in a memslot (addressing).
R5  The block is read once; KVM keeps token address, select mask and compare mask, not the block's address.
R6  Sub-code 1 cancels: the answer is 0, or 4 if there was none. All fields behind the version must be 0
    (specification).
R7  Other sub-codes go to the VMM, which knows none (specification).
R8  At a fault KVM reads the token; it never writes there. So a token left behind corrupts nothing.
R9  A reset of the CPU cancels.
R10 The VMM reads and writes the three values (KVM_REG_S390_PFTOKEN, PFSELECT, PFCOMPARE, 8 bytes each). Writing checks
    nothing. Mitigation ``validate-restore``: as R4 (this project's).
R11 Linux establishes on each CPU that comes up, with the address of lpp in its lowcore, and cancels on one that goes
    down (__cpu_disable); it goes without where the answer is not 0.
R12 So a kernel that comes up where an older one left a token is answered 8, and goes without. Mitigation
    ``cancel-first``: a CPU that comes up cancels first (this project's).

What cannot be said: any area but this one, another CPU's, a second token. Until 2024 KVM took the block's address for a
virtual one, which is not modelled ("KVM: s390: Change virtual to physical address access in diag 0x258 handler").
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from workbench.clayout.layout import struct
from workbench.clayout.value import Value
from workbench.core.contracts import Feature, StateEntry
from workbench.core.host_state import Key, area, registry
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.steps import Backed, Get, Hypercall, Load, Program, Set, Store, ToUser
from workbench.core.vcpu import Vcpu
from workbench.protocols._kept import Kept

DIAG = 0x258
BLOCK = struct("""
struct pfault_refbk {
    __u16 refdiagc;
    __u16 reffcode;
    __u16 refdwlen;
    __u16 refversn;
    __u64 refgaddr;
    __u64 refselmk;
    __u64 refcmpmk;
    __u64 reserved;
};
""")
ESTABLISH, CANCEL = 0, 1
OK, NONE_SET, ALREADY_SET = 0, 4, 8
ADDRESSING, SPECIFICATION = -5, -6  # R2: program interruption codes
RESERVED, MASK = 1 << 63, 1 << 48  # R4: what Linux passes


class Diag258(Kept):
    """DIAG 0x258."""

    name = "diag258"
    title = "s390 DIAG 0x258 (pfault)"
    source = "Linux 6.12 arch/s390/kvm/diag.c"
    own_features = ("pfault_token",)
    descriptor = BLOCK
    address_field = "refgaddr"
    hypercalls = frozenset({DIAG})
    call_instruction = "DIAG"
    unknown_hypercall = SPECIFICATION
    interface = "KVM_SET_ONE_REG"  # R10
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "validate-restore": "the VMM's values are checked as those of the call (R10)",
        "cancel-first": "a CPU that comes up cancels what an older kernel established (R12)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in self.own_features

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        answer = yield from self._call(cpu, ESTABLISH, refgaddr=gpa, refselmk=MASK, refcmpmk=MASK, reserved=RESERVED)
        return ACCEPTED if answer == OK else REFUSED  # R11

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        yield from self._call(cpu, CANCEL)  # R11: Linux does not look at the answer
        return ACCEPTED

    def _call(self, cpu: Vcpu, function: int, **fields: int) -> Program:
        block = BLOCK.on(cpu.abi)(refdiagc=DIAG, reffcode=function, refdwlen=5, refversn=2, **fields)
        yield Store(cpu.descriptor, block)
        return (yield Hypercall(DIAG, (cpu.descriptor,)))  # R1

    def revoke_all(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``cancel-first``, cancel before anything is established."""
        if "cancel-first" in self.mitigations:
            yield from self._call(cpu, CANCEL)  # R12

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        if arguments[0] % 8:
            return SPECIFICATION  # R2
        block = yield Load(arguments[0], BLOCK)  # R5
        if block is None:
            return ADDRESSING
        if block.refversn != 2 or block.refdwlen < 5 or block.refdiagc != DIAG:
            return SPECIFICATION  # R2
        if block.reffcode == ESTABLISH:
            return (yield from self._establish(cpu, block))
        if block.reffcode == CANCEL:
            return (yield from self._cancel(cpu, block))
        yield ToUser("diag")  # R7
        return SPECIFICATION

    def _establish(self, cpu: Vcpu, block: Value) -> Program:
        (feature,) = self.kept() or (None,)
        if feature is None or (yield Get(registry(cpu.index, feature.name))) is not None:
            return ALREADY_SET  # R3
        value = (block.refgaddr, block.refselmk, block.refcmpmk)
        if block.reserved != RESERVED:
            return SPECIFICATION  # R4
        refusal = yield from self._refusal(value)
        if refusal == OK:
            yield from self.keep(cpu.index, feature, value)  # R5
        return refusal

    def _refusal(self, value: tuple[int, int, int]) -> Program:
        """Host: return OK, or the interruption with which KVM refuses these values (R4)."""
        token, select, compare = value
        if token % 8 or compare & ~select:
            return SPECIFICATION
        return OK if (yield Backed(token, 8)) else ADDRESSING

    def _cancel(self, cpu: Vcpu, block: Value) -> Program:
        if block.refgaddr or block.refselmk or block.refcmpmk or block.reserved:
            return SPECIFICATION  # R6
        held = False
        for feature in self.kept():
            held = (yield Get(registry(cpu.index, feature.name))) is not None
        yield from self.forget((cpu.index,))
        return OK if held else NONE_SET

    def keep(self, owner: int, feature: Feature, value: Any) -> Program:
        """Host: keep the three values, and read the token at the first of them from now on (R8)."""
        yield Set(registry(owner, feature.name), value)
        yield Set(area(owner, feature.name), None if value is None else value[0])

    def on_init(self, cpu: Vcpu) -> Program:
        yield from self.forget((cpu.index,))  # R9

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        value = entries.get(registry(owner, feature.name))
        return None if value is None else int(value[0])

    # -- live migration ------------------------------------------------------------------------------

    def may_restore(self, cpu: Vcpu, feature: Feature, value: Any) -> Program:
        if "validate-restore" not in self.mitigations:
            return True  # R10
        return (yield from self._refusal(value)) == OK

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        return [
            entry._replace(name=name)
            for entry in super().state(entries, cpus)
            for name in ("pfault token", "pfault select", "pfault compare")
        ]
