"""PAPR's H_REGISTER_VPA, as KVM on POWER does it: one call for three kinds of area, with the size in the area itself.

Source: Linux 6.12 arch/powerpc/kvm/book3s_hv.c (do_h_register_vpa, vpa_is_registered, kvmppc_update_vpa, set_vpa,
kvmppc_get_one_reg_hv, kvmppc_set_one_reg_hv); guest: arch/powerpc/platforms/pseries/{lpar,setup,kexec,hotplug-cpu}.c;
VMM: QEMU target/ppc/kvm.c (kvm_put_vpa), hw/ppc/spapr_cpu_core.c.

R1  Hypercall 0xdc takes (flags, CPU, address); a sub-function in bits 45 to 47 of flags registers a VPA (1), a dispatch
    trace log (2) or an SLB shadow buffer (3), or revokes it (5, 6, 7). One exit.
R2  The address must be aligned to a cache line (128 bytes), not be 0, and be RAM; otherwise H_PARAMETER.
R3  The host reads the length at offset 4 of the area: 16 bits in a VPA, 32 bits in the others. It must not be more than
    what is left of the page, and not less than the least of its kind: 640, one log entry (48), the head alone (8).
R4  A log or a shadow buffer can be registered only where there is a VPA; a VPA cannot be revoked while one of them is
    registered (H_RESOURCE). An area that was dropped by R7 does not count as registered (vpa_is_registered).
R5  Any CPU may register for any other; an unknown one is H_PARAMETER. Linux warns, because the specification says that
    it may be a problem (vpa_init, lpar.c).
R6  The call only stages {address, length}; success does not mean "mapped".
R7  What is staged is applied at the target's next entry: for the caller before its next instruction. An area that is
    gone by then, or too short, is unregistered silently. A newer call before that wins.
R8  When a VPA is applied, its yield count becomes 1, also after a restore.
R9  Nothing compares areas with each other: overlap is not refused.
R10 An area is at most one page; a registration of the same kind replaces the one before.
R11 The VMM reads and writes each area by a pseudo-register (KVM_REG_PPC_VPA_ADDR 8 bytes, VPA_SLB and VPA_DTL 16 bytes:
    address and length), 40 bytes for each vCPU.
R12 Writing them checks alignment, R4 and the least length of the log, but not RAM; the area is staged (R6), a VPA with
    640 bytes (set_vpa). What is written counts for R4, mapped or not.
R13 QEMU restores the VPA first, because of R12. A restore stages; R7 and R8 follow at the next entry.
R14 QEMU clears all three when the vCPU is reset.
R15 Linux revokes log, shadow buffer and VPA, in this order, on each CPU before kexec, and even while it crashes
    (pseries_kexec_cpu_down). On a CPU that goes down it leaves the log out (pseries_cpu_offline_self), so that KVM
    refuses to revoke the VPA, by R4; that is not modelled: here such a CPU revokes its log, too.
R16 Leaving secure mode revokes all areas of all vCPUs (KVM_PPC_SVM_OFF); an ordinary guest has no such call. Mitigation
    ``revoke-vm``, which is this project's: sub-function 4 with flags alone revokes for all.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

from workbench.clayout.layout import U16, U32
from workbench.clayout.types import Scalar
from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.host_state import Key, area, registry, staged
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.restoring import written
from workbench.core.steps import AllVcpus, Backed, Get, Hypercall, Load, Program, Set, Store
from workbench.core.vcpu import Vcpu

H_REGISTER_VPA = 0xDC
H_SUCCESS, H_FUNCTION, H_PARAMETER, H_RESOURCE = 0, -2, -4, -16
FUNCTION_SHIFT, DEREGISTER, REVOKE_VM = 45, 4, 4
CACHE_LINE = 128
LENGTH, YIELD_COUNT = 4, 256  # offsets in the area, in the VPA


class Sort(NamedTuple):
    """One kind of area: its sub-function, the width of its length field, and the least length (R3)."""

    number: int
    length: Scalar
    least: int
    wire_bytes: int


SORTS = {"vpa": Sort(1, U16, 640, 8), "dtl": Sort(2, U32, 48, 16), "slb_shadow": Sort(3, U32, 8, 16)}


class PaprVpa(Protocol):
    """H_REGISTER_VPA."""

    name = "papr_vpa"
    title = "PAPR H_REGISTER_VPA (POWER)"
    source = "PAPR; Linux 6.12 arch/powerpc/kvm/book3s_hv.c"
    own_features = ("vpa", "dtl", "slb_shadow")
    hypercalls = frozenset({H_REGISTER_VPA})
    call_instruction = "sc 1"
    unknown_hypercall = H_FUNCTION
    for_others = True  # R5
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "revoke-vm": "one call revokes all areas of all vCPUs; a kernel makes it when it ends or starts (R16)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in SORTS

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return self._call(SORTS[feature.name].number, cpu.index, gpa)

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return self._call(SORTS[feature.name].number + DEREGISTER, cpu.index, 0)  # R15

    def _call(self, function: int, target: int, gpa: int) -> Program:
        answer = yield Hypercall(H_REGISTER_VPA, (function << FUNCTION_SHIFT, target, gpa))  # R1
        return ACCEPTED if answer == H_SUCCESS else REFUSED

    @property
    def revokes_everything(self) -> bool:
        return "revoke-vm" in self.mitigations

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: with the mitigation ``revoke-vm``, revoke the areas of all CPUs."""
        if self.revokes_everything:
            yield from self._call(REVOKE_VM, 0, 0)  # R16

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        flags, target, gpa = arguments
        function = flags >> FUNCTION_SHIFT & 7
        vcpus = yield AllVcpus()
        if function == REVOKE_VM and self.revokes_everything:
            yield from self._forget(vcpus)
            return H_SUCCESS
        name = next((one for one, sort in SORTS.items() if sort.number == function & 3), None)
        if target not in vcpus or name is None:
            return H_PARAMETER  # R5
        registers = not function & DEREGISTER
        length = (yield from self._length(gpa, SORTS[name])) if registers else 0
        if length is None:
            return H_PARAMETER  # R2, R3
        if not (yield from self._in_order(target, name, registers, self._is_registered)):
            return H_RESOURCE  # R4
        yield from self._stage(target, name, (gpa, length) if registers else None)  # R9, R10
        if target == cpu.index:
            yield from self._apply(cpu.index)  # R7
        return H_SUCCESS

    def _length(self, gpa: int, sort: Sort) -> Program:
        """Host: return the length that stands in an area; None if the area may not be registered."""
        if not gpa or gpa % CACHE_LINE or not (yield Backed(gpa, LENGTH + 4)):
            return None  # R2
        length = yield Load(gpa + LENGTH, sort.length)
        fits = length is not None and self.least(sort) <= length <= PAGE_SIZE - gpa % PAGE_SIZE  # R3
        return length - length % sort.least if fits and sort is SORTS["dtl"] else length if fits else None

    def least(self, sort: Sort) -> int:
        """Return the least length that the host accepts (R3)."""
        return sort.least

    def _in_order(self, target: int, name: str, registers: bool, has: Callable[[int, str], Program]) -> Program:
        """Host: whether a kind of area may come, or go, beside the others that a vCPU ``has`` (R4)."""
        if registers:
            return name == "vpa" or (yield from has(target, "vpa"))
        for other in ("dtl", "slb_shadow") if name == "vpa" else ():
            if (yield from has(target, other)):
                return False
        return True

    def _is_registered(self, target: int, name: str) -> Program:
        """Host: whether an area is mapped, or will be (R4)."""
        held = registry if (yield Get(staged(target, name))) else area
        return (yield Get(held(target, name))) is not None

    def _is_named(self, target: int, name: str) -> Program:
        """Host: whether the VMM would read an address (R12)."""
        return (yield Get(registry(target, name))) is not None

    def _stage(self, target: int, name: str, wanted: tuple[int, int] | None) -> Program:
        yield Set(registry(target, name), wanted)  # R6
        yield Set(staged(target, name), True)

    def _apply(self, target: int) -> Program:
        """Host: map what is staged, just before the vCPU enters the guest."""
        for name in SORTS:
            if not (yield Get(staged(target, name))):
                continue
            wanted = yield Get(registry(target, name))
            is_there = wanted is not None and (yield Backed(*wanted))
            yield Set(staged(target, name), None)
            yield Set(area(target, name), wanted[0] if is_there else None)  # R7
            if is_there and name == "vpa":
                yield Store(wanted[0] + YIELD_COUNT, 1, U32)  # R8

    def on_entry(self, cpu: Vcpu) -> Program:
        yield from self._apply(cpu.index)  # R7
        yield from super().on_entry(cpu)

    def on_init(self, cpu: Vcpu) -> Program:
        yield from self._forget((cpu.index,))  # R14

    def _forget(self, owners: Iterable[int]) -> Program:
        for owner in owners:
            for name in SORTS:
                yield Set(registry(owner, name), None)
                yield Set(staged(owner, name), None)
                yield Set(area(owner, name), None)

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        held = entries.get(registry(owner, feature.name))
        return None if held is None else int(held[0])

    # -- live migration ------------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        for cpu in cpus:
            for name in self.restored_in_order():
                held = yield Get(registry(cpu.index, name))  # R11
                if held is not None:
                    saved += ((cpu.index, name, *held),)
        return saved

    def restored_in_order(self) -> tuple[str, ...]:
        """Return the kinds of area in the order in which the VMM restores them (R13)."""
        return tuple(SORTS)

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self._write_back))

    def _write_back(self, cpus: Sequence[Vcpu], item: tuple[int, str, int, int]) -> Program:
        index, name, gpa, length = item
        right = gpa % CACHE_LINE == 0 and (name != "dtl" or length >= SORTS["dtl"].least)
        right = right and (yield from self._in_order(index, name, True, self._is_named))  # R12
        if right:
            yield from self._stage(index, name, (gpa, SORTS["vpa"].least if name == "vpa" else length))  # R13
        return right

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        held = sorted((key for key in entries if key.kind == "registry"), key=lambda key: (key.cpu, str(key.name)))
        return [
            StateEntry(key.cpu, f"area {key.name}", size := SORTS[str(key.name)].wire_bytes, size, "KVM_SET_ONE_REG",
                       architected=False, carried=True)
            for key in held
        ]  # fmt: skip
