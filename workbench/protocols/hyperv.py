"""Hyper-V's synthetic registers: one for each page, and the host lays a page of its own over the guest's.

Source: TLFS 5.2.1 (overlay pages), 12.7.1 (reference TSC); Linux 6.12 arch/x86/kvm/hyperv.c (kvm_hv_set_msr_pw,
kvm_hv_set_msr, synic_set_msr), Documentation/virt/kvm/api.rst 8.11; guest: arch/x86/hyperv/hv_init.c, drivers/hv/hv.c
(hv_synic_enable_regs), Documentation/virt/hyperv/overview.rst; propolis enlightenment/hyperv.

R1  Each page has a register: hypercall page 0x40000001 and reference TSC 0x40000021 of the VM; VP assist 0x40000073,
    event flags 0x40000082 and messages 0x40000083 of each vCPU. Its value is the page's address and bit 0, enabled.
R2  The guest reads the register and writes it with its bits changed: two exits for each page.
R3  First a kernel writes its identity to GUEST_OS_ID (0x40000000), once. Without it the hypercall page's register takes
    no value, silently; writing 0 to it takes the hypercall page away (KVM clears bit 0 of its register).
R4  Bit 1 of the hypercall page's register locks it: it takes no other value until the machine is reset (TLFS; KVM does
    not look at it).
R5  Enabling lays a page of zeros of the host over the guest's; disabling takes it away, and what lay under it is there
    again. Moving is both. KVM has no overlay: it clears the guest's own page (``history/broken/hyperv.py``).
R6  Two pages may be enabled at one address; which one is seen is up to the implementation (TLFS 5.2.1): the first,
    here. Mitigation ``refuse-stacking``: the second is #GP (this project's).
R7  An address without RAM is #GP, and nothing changes; but the reference TSC page takes any (TLFS 12.7.1). Mitigation
    ``fault-like-hypercall``: it does not (this project's).
R8  What is due at registration is written at once: the code of the hypercall page, the values of the reference TSC.
R9  A reset clears the registers of the vCPU and takes its pages away.
R10 A kernel that ends clears register by register: those of a vCPU on that vCPU, those of the VM on the boot CPU.
    Nothing revokes everything, and in a panic the registers of other CPUs cannot be written (overview.rst).
R11 The VMM carries each register (KVM_SET_MSRS, 16 bytes), GUEST_OS_ID first because of R3.
R12 Restoring a register enables its page anew: it is empty, and a message that was pending is lost. So it was in KVM,
    until efc479e6900c (4.13, KVM_CAP_HYPERV_SYNIC2): there a write by the VMM clears nothing now. Mitigation
    ``carry-pages``: the VMM carries the first words too.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.host_state import VM, Key, area, register
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.restoring import written
from workbench.core.steps import Backed, Cover, Get, Load, Program, Rdmsr, Set, Store, Uncover, Wrmsr
from workbench.core.vcpu import Vcpu

GUEST_OS_ID, HYPERCALL, REFERENCE_TSC = 0x4000_0000, 0x4000_0001, 0x4000_0021
VP_ASSIST_PAGE, SIEFP, SIMP = 0x4000_0073, 0x4000_0082, 0x4000_0083
REGISTERS = {
    "hypercall_page": HYPERCALL, "reference_tsc": REFERENCE_TSC, "vp_assist": VP_ASSIST_PAGE, "siefp": SIEFP,
    "simp": SIMP,
}  # fmt: skip
LINUX = 0x8100 << 48
ENABLE, LOCKED = 1, 2
CARRIED = 24  # bytes of a page, with ``carry-pages``: a message's type and payload


class HyperV(Protocol):
    """HV_X64_MSR_*."""

    name = "hyperv"
    title = "Hyper-V synthetic registers"
    source = "TLFS; Linux 6.12 arch/x86/kvm/hyperv.c"
    own_features = ("simp", "siefp", "vp_assist", "reference_tsc", "hypercall_page")
    msrs = frozenset({GUEST_OS_ID, *REGISTERS.values()})
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "refuse-stacking": "a second page at one address is refused (R6)",
        "fault-like-hypercall": "the reference TSC page at an address without RAM is #GP (R7)",
        "carry-pages": "a migration carries what stands in the pages (R12)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in REGISTERS

    def prepare(self, cpu: Vcpu) -> Program:
        if cpu.index == 0:
            yield Wrmsr(GUEST_OS_ID, LINUX)  # R3

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        value = yield Rdmsr(REGISTERS[feature.name])  # R2
        if value is FAULT:
            return REFUSED
        outcome = yield Wrmsr(REGISTERS[feature.name], value & LOCKED | gpa | ENABLE)
        return REFUSED if outcome is FAULT else ACCEPTED

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if feature.scope == "vm" and cpu.index:
            return REFUSED  # R10
        value = yield Rdmsr(REGISTERS[feature.name])
        if value is not FAULT:
            yield Wrmsr(REGISTERS[feature.name], value & ~ENABLE)
        return ACCEPTED

    # -- the host's side -----------------------------------------------------------------------------

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        return (yield Get(register(self._owner(cpu, msr), msr))) or 0

    def _owner(self, cpu: Vcpu, msr: int) -> int:
        return VM if msr in (GUEST_OS_ID, HYPERCALL, REFERENCE_TSC) else cpu.index  # R1

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == GUEST_OS_ID:
            yield Set(register(VM, GUEST_OS_ID), value or None)
            if value:
                return HANDLED
            kept = ((yield Get(register(VM, HYPERCALL))) or 0) & ~ENABLE
            return (yield from self._write(cpu, HYPERCALL, kept, host_initiated))  # R3
        if msr == HYPERCALL:
            locked = ((yield Get(register(VM, HYPERCALL))) or 0) & LOCKED
            if locked or not (yield Get(register(VM, GUEST_OS_ID))):
                return HANDLED  # R3, R4
        return (yield from self._write(cpu, msr, value, host_initiated))

    def _write(self, cpu: Vcpu, msr: int, value: int, host_initiated: bool) -> Program:
        name = next(one for one, number in REGISTERS.items() if number == msr)
        owner, gpa = self._owner(cpu, msr), value & -PAGE_SIZE if value & ENABLE else None
        old = yield Get(area(owner, name))
        if gpa is not None and gpa != old and not (yield from self._allows(cpu, name, gpa)):
            return FAULT  # R6, R7
        if old is not None and old != gpa and not (yield from self._shares(cpu, owner, name, old)):
            yield from self.lift(old)
        if gpa is not None and gpa != old:
            yield from self.lay(gpa, host_initiated)  # R5
        yield Set(register(owner, msr), value or None)
        yield Set(area(owner, name), gpa)
        feature = self.by_name.get(name)
        if gpa is not None and feature is not None and feature.update_when == "registration":
            yield from self.deliver(cpu, feature)  # R8
        return HANDLED

    def _allows(self, cpu: Vcpu, name: str, gpa: int) -> Program:
        takes_any = name == "reference_tsc" and "fault-like-hypercall" not in self.mitigations
        if not takes_any and not (yield Backed(gpa, PAGE_SIZE)):
            return False
        return "refuse-stacking" not in self.mitigations or not (yield from self._shares(cpu, cpu.index, name, gpa))

    def _shares(self, cpu: Vcpu, owner: int, name: str, gpa: int) -> Program:
        """Host: whether another page of this vCPU, or of the VM, is enabled at ``gpa``."""
        for other, msr in REGISTERS.items():
            if (self._owner(cpu, msr), other) != (owner, name) and (
                (yield Get(area(self._owner(cpu, msr), other))) == gpa
            ):
                return True
        return False

    def lay(self, gpa: int, restoring: bool) -> Program:
        """Host: put an empty page over the guest's (R5)."""
        yield Cover(gpa)

    def lift(self, gpa: int) -> Program:
        """Host: take the page away."""
        yield Uncover(gpa)

    def on_init(self, cpu: Vcpu) -> Program:
        for msr in (VP_ASSIST_PAGE, SIEFP, SIMP):
            yield from self._write(cpu, msr, 0, host_initiated=True)  # R9

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        value = entries.get(register(owner, REGISTERS[feature.name])) or 0
        return value & -PAGE_SIZE if value & ENABLE else None

    # -- live migration ------------------------------------------------------------------------------

    def _places(self, cpus: Sequence[Vcpu]) -> Iterable[tuple[int, int, str]]:
        """Every register with its owner, in the order of the restore (R11), and its feature."""
        yield VM, GUEST_OS_ID, ""
        for name, msr in REGISTERS.items():
            yield from ((owner, msr, name) for owner in dict.fromkeys(self._owner(cpu, msr) for cpu in cpus))

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        for owner, msr, name in tuple(self._places(cpus)):
            value = yield Get(register(owner, msr))
            if value is None:
                continue
            carries = name and value & ENABLE and "carry-pages" in self.mitigations
            content = (yield Load(value & -PAGE_SIZE, CARRIED)) if carries else None
            saved += ((owner, msr, value, content),)
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self._write_back))

    def _write_back(self, cpus: Sequence[Vcpu], item: tuple[int, int, int, bytes | None]) -> Program:
        owner, msr, value, content = item
        outcome = yield from self.on_wrmsr(cpus[max(owner, 0)], msr, value, host_initiated=True)
        if content is not None:
            yield Store(value & -PAGE_SIZE, content)  # R12
        return outcome is HANDLED

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        held = sorted(key for key in entries if key.kind == "register")
        return [StateEntry(key.cpu, f"MSR {key.name:#x}", 16, 16, "KVM_SET_MSRS", True, True) for key in held]
