"""One MSR per feature, as Linux KVM does it.

Source: Linux 6.12 arch/x86/kvm/x86.c (kvm_set_msr_common, kvm_get_msr_common, kvm_write_system_time,
kvm_write_wall_clock, kvm_pv_enable_async_pf, kvm_pv_enable_async_pf_int, record_steal_time, kvm_vcpu_reset),
arch/x86/kvm/lapic.c (kvm_lapic_set_pv_eoi), virt/kvm/pfncache.c; guest: arch/x86/kernel/kvm.c, kvmclock.c;
QEMU 7.2 target/i386/kvm/kvm.c and machine.c.

R1  Each feature has a register of its own; its value is address and control bits; one exit registers.
R2  0x11 and 0x12 are second names of 0x4b564d00 and 0x4b564d01: one cell each.
R3  WALL_CLOCK: no enable bit, no check; a value other than 0 is written at once, also for the host.
R4  SYSTEM_TIME: bit 0 enables. No address is ever refused.
R5  SYSTEM_TIME: an area that crosses a page is not mapped; the one mapped before stays live.
R6  STEAL_TIME: bits 1 to 5 must be 0 (#GP), enabled or not; the address is not checked.
R7  PV_EOI_EN: bit 1 must be 0 (#GP), enabled or not; enabled and unbacked is #GP and changes nothing.
R8  ASYNC_PF_EN: bits 4 and 5 must be 0 (#GP); without a LAPIC in the kernel anything but 0 is #GP.
R9  ASYNC_PF_EN: enabled means bits 0 and 3; with fewer the write succeeds and nothing ever happens. Enabling
    wakes all tasks: token ~0 at the next entry, or at the next ACK if the token is not 0 then
    (kvm_async_pf_wakeup_all).
R10 ASYNC_PF_EN: enabled and unbacked is #GP, yet the register keeps the refused value.
R11 ASYNC_PF_INT: bits 8 to 63 must be 0 and the LAPIC in the kernel, else #GP, even for 0.
R12 ASYNC_PF_ACK: never refused; reads 0. Bit 0 asks for the event that waits for its token to be taken.
R13 POLL_CONTROL: bits 1 to 63 must be 0 (#GP); 1 after creation.
R14 MIGRATION_CONTROL is not KVM's: nobody claims it unless the VMM asked for the exit.
R15 Without the feature's CPUID bit, and only if enforcement is on: the register is unknown to the guest, which
    gets #GP by default; the host may read (0) and write 0, nothing else (as since commit 5bb9ac186512). Bits 2
    and 3 of ASYNC_PF_EN need bits of their own (#GP).
R16 INIT clears all but WALL_CLOCK and POLL_CONTROL.
R17 A write by the host (KVM_SET_MSRS) passes the same checks and registers again.
R18 A migration carries each register's value as KVM_GET_MSRS reads it; QEMU restores all, zeros included: the
    clocks first, by their old names, ASYNC_PF_INT before ASYNC_PF_EN. A refused entry ends that vCPU's list, so that
    what is lost depends on the order. Mitigation ``order-free-restore``.
R19 The guest does not look at the outcome (a #GP is fixed up with a warning).
R20 Writing 0 revokes (POLL_CONTROL: 1). Linux never clears WALL_CLOCK and ASYNC_PF_INT.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from workbench.clayout.layout import U32
from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.host_state import VM, Key, area, pending, register
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, UNKNOWN, Outcome
from workbench.core.steps import Backed, Get, Load, Program, Set, Store, Wrmsr
from workbench.core.vcpu import Vcpu

MSR_KVM_WALL_CLOCK, MSR_KVM_SYSTEM_TIME = 0x11, 0x12
MSR_KVM_WALL_CLOCK_NEW = 0x4B56_4D00
MSR_KVM_SYSTEM_TIME_NEW = 0x4B56_4D01
MSR_KVM_ASYNC_PF_EN = 0x4B56_4D02
MSR_KVM_STEAL_TIME = 0x4B56_4D03
MSR_KVM_PV_EOI_EN = 0x4B56_4D04
MSR_KVM_POLL_CONTROL = 0x4B56_4D05
MSR_KVM_ASYNC_PF_INT = 0x4B56_4D06
MSR_KVM_ASYNC_PF_ACK = 0x4B56_4D07
MSR_KVM_MIGRATION_CONTROL = 0x4B56_4D08  # R14: not claimed below

ENABLED = 1 << 0
APF_DELIVER_AS_VMEXIT = 1 << 2
APF_DELIVER_AS_INT = 1 << 3
HYPERVISOR_CALLBACK_VECTOR = 0xF3  # arch/x86/include/asm/irq_vectors.h

ALIAS = {MSR_KVM_WALL_CLOCK: MSR_KVM_WALL_CLOCK_NEW, MSR_KVM_SYSTEM_TIME: MSR_KVM_SYSTEM_TIME_NEW}  # R2

REGISTER_OF = {
    "kvmclock": MSR_KVM_SYSTEM_TIME_NEW,
    "wall_clock": MSR_KVM_WALL_CLOCK_NEW,
    "async_pf": MSR_KVM_ASYNC_PF_EN,
    "pv_eoi": MSR_KVM_PV_EOI_EN,
    "steal_time": MSR_KVM_STEAL_TIME,
    "poll_control": MSR_KVM_POLL_CONTROL,
    "migration_control": MSR_KVM_MIGRATION_CONTROL,
}
CPUID_BIT = {  # R15
    MSR_KVM_WALL_CLOCK: 0,
    MSR_KVM_SYSTEM_TIME: 0,
    MSR_KVM_WALL_CLOCK_NEW: 3,
    MSR_KVM_SYSTEM_TIME_NEW: 3,
    MSR_KVM_ASYNC_PF_EN: 4,
    MSR_KVM_STEAL_TIME: 5,
    MSR_KVM_PV_EOI_EN: 6,
    MSR_KVM_POLL_CONTROL: 12,
    MSR_KVM_ASYNC_PF_INT: 14,
    MSR_KVM_ASYNC_PF_ACK: 14,
}
#: R18: name, register, bytes in QEMU's stream (subsection framing included), value that is not sent.
QEMU_ORDER = (
    ("SYSTEM_TIME", MSR_KVM_SYSTEM_TIME, 8, None),
    ("WALL_CLOCK", MSR_KVM_WALL_CLOCK, 8, None),
    ("ASYNC_PF_INT", MSR_KVM_ASYNC_PF_INT, 34, 0),
    ("ASYNC_PF_EN", MSR_KVM_ASYNC_PF_EN, 30, 0),
    ("PV_EOI_EN", MSR_KVM_PV_EOI_EN, 34, 0),
    ("STEAL_TIME", MSR_KVM_STEAL_TIME, 32, 0),
    ("POLL_CONTROL", MSR_KVM_POLL_CONTROL, 34, 1),
)
AFTER_CREATION = {MSR_KVM_POLL_CONTROL: 1}  # R13

#: R9: where the wake-all stands: KVM looks at it at the next entry, or only when the guest acknowledges.
REQUESTED, WAITING = "requested", "waiting"
WAKE_ALL = 0xFFFF_FFFF
TOKEN_OFFSET = 4  # in struct kvm_vcpu_pv_apf_data


class PerFeature(Protocol):
    """MSR_KVM_* of arch/x86/include/uapi/asm/kvm_para.h."""

    name = "per_feature"
    title = "one MSR per feature (KVM)"
    msrs = frozenset(CPUID_BIT)
    native = REGISTER_OF  # of which R14 is not claimed
    mitigations_known = {
        "revoke-on-crossing": "a page-crossing SYSTEM_TIME first drops the area mapped before (R5)",
        "quiet-restore": "WALL_CLOCK written by the host is kept and not acted on (R17)",
        "order-free-restore": "the VMM goes on behind an entry that KVM_SET_MSRS refuses (R18)",
        "commit-after-check": "ASYNC_PF_EN keeps its old value when the new one is refused (R10)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        """Only what a register was assigned to can be expressed (R1)."""
        return feature.name in REGISTER_OF

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        msr = REGISTER_OF[feature.name]
        value = gpa | ENABLED
        if feature.name == "wall_clock":
            value = gpa  # R3
        elif feature.name == "async_pf":
            yield Wrmsr(MSR_KVM_ASYNC_PF_INT, HYPERVISOR_CALLBACK_VECTOR)
            value |= APF_DELIVER_AS_INT | (APF_DELIVER_AS_VMEXIT if 10 in cpu.cpuid else 0)
        elif feature.is_value:
            value = feature.guest_value
        yield Wrmsr(msr, value)  # R1
        return ACCEPTED  # R19

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if feature.name != "wall_clock":  # R20
            msr = REGISTER_OF[feature.name]
            yield Wrmsr(msr, AFTER_CREATION.get(msr, 0))
        return ACCEPTED  # R19

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if not cpu.may_use(CPUID_BIT[msr]):  # R15
            return HANDLED if host_initiated and value == 0 else UNKNOWN
        cell = ALIAS.get(msr, msr)
        outcome: Outcome = yield from self._WRITE[cell](self, cpu, value, host_initiated)  # R17
        return outcome

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        if not cpu.may_use(CPUID_BIT[msr]):  # R15
            return 0 if host_initiated else UNKNOWN
        cell = ALIAS.get(msr, msr)
        value = yield Get(register(self._owner(cpu, cell), cell))
        return AFTER_CREATION.get(cell, 0) if value is None else value

    def on_init(self, cpu: Vcpu) -> Program:
        for feature in ("kvmclock", "async_pf", "pv_eoi", "steal_time"):  # R16
            yield Set(register(cpu.index, REGISTER_OF[feature]), None)
            yield Set(area(cpu.index, feature), None)
        yield Set(register(cpu.index, MSR_KVM_ASYNC_PF_INT), None)
        yield Set(pending(cpu.index, "async_pf"), None)

    def on_entry(self, cpu: Vcpu) -> Program:
        yield from super().on_entry(cpu)
        if "async_pf" in self.by_name and (yield Get(pending(cpu.index, "async_pf"))) == REQUESTED:
            yield from self._wake_all(cpu)  # R9

    def _wake_all(self, cpu: Vcpu) -> Program:
        """Host: put the token of the wake-all if the guest has taken the last one; else leave it waiting."""
        gpa = yield Get(area(cpu.index, "async_pf"))
        taken = gpa is not None and (yield Load(gpa + TOKEN_OFFSET, U32)) == 0
        if taken:
            yield Store(gpa + TOKEN_OFFSET, WAKE_ALL, U32)
        yield Set(pending(cpu.index, "async_pf"), None if taken else WAITING)

    def _system_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        yield Set(register(cpu.index, MSR_KVM_SYSTEM_TIME_NEW), value)
        gpa = value & ~ENABLED
        if not value & ENABLED:
            yield Set(area(cpu.index, "kvmclock"), None)
        elif gpa % PAGE_SIZE + 32 <= PAGE_SIZE:
            yield Set(area(cpu.index, "kvmclock"), gpa)  # R4
        elif "revoke-on-crossing" in self.mitigations:
            yield Set(area(cpu.index, "kvmclock"), None)  # R5
        if value & ENABLED:
            yield Set(pending(cpu.index, "kvmclock"), True)
            if not host_initiated:
                # KVM_REQ_CLOCK_UPDATE is served before the guest's next instruction.
                yield from self.on_request(cpu)
        return HANDLED

    def on_request(self, cpu: Vcpu) -> Program:
        """Host: serve the clock update that a guest's write asked for, before it goes on."""
        feature = self.by_name.get("kvmclock")
        if feature is not None:
            yield from self.deliver(cpu, feature)

    def _wall_clock(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        yield Set(register(VM, MSR_KVM_WALL_CLOCK_NEW), value)
        yield Set(area(VM, "wall_clock"), value or None)
        feature = self.by_name.get("wall_clock")
        quietly = host_initiated and "quiet-restore" in self.mitigations
        if feature is not None and value and not quietly:
            yield from self.deliver(cpu, feature)  # R3
        return HANDLED

    def _steal_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if value & 0x3E:
            return FAULT  # R6
        yield from self._keep(cpu, MSR_KVM_STEAL_TIME, value)
        yield Set(area(cpu.index, "steal_time"), value & ~0x3F if value & ENABLED else None)
        return HANDLED

    def _pv_eoi(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        gpa = value & ~ENABLED
        if gpa & 3:
            return FAULT  # R7
        if value & ENABLED and not (yield Backed(gpa, 1)):
            return FAULT  # R7
        yield from self._keep(cpu, MSR_KVM_PV_EOI_EN, value)
        yield Set(area(cpu.index, "pv_eoi"), gpa if value & ENABLED else None)
        return HANDLED

    def _async_pf_en(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if value & 0x30:
            return FAULT  # R8
        if value & APF_DELIVER_AS_VMEXIT and not cpu.may_use(10):
            return FAULT  # R15
        if value & APF_DELIVER_AS_INT and not cpu.may_use(14):
            return FAULT  # R15
        if not cpu.host.irqchip:
            return FAULT if value else HANDLED  # R8
        gpa = value & ~0x3F
        enabled = value & ENABLED and value & APF_DELIVER_AS_INT  # R9
        after = "commit-after-check" in self.mitigations
        if not after:
            yield from self._keep(cpu, MSR_KVM_ASYNC_PF_EN, value)  # R10: before the check
        if enabled and not (yield Backed(gpa, 8)):
            if not after:
                yield Set(area(cpu.index, "async_pf"), None)
            return FAULT  # R10
        if after:
            yield from self._keep(cpu, MSR_KVM_ASYNC_PF_EN, value)
        yield Set(area(cpu.index, "async_pf"), gpa if enabled else None)
        if "async_pf" in self.by_name:
            yield from self._queue_wake_all(cpu, bool(enabled))
        return HANDLED

    def _queue_wake_all(self, cpu: Vcpu, enabled: bool) -> Program:
        """R9: disabling drops what waits; enabling queues one wake-all, unless one is queued already."""
        key = pending(cpu.index, "async_pf")
        if not enabled:
            yield Set(key, None)
        elif not (yield Get(key)):
            yield Set(key, REQUESTED)  # KVM_REQ_APF_READY

    def _async_pf_int(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if value >> 8 or not cpu.host.irqchip:
            return FAULT  # R11
        yield from self._keep(cpu, MSR_KVM_ASYNC_PF_INT, value)
        return HANDLED

    def _async_pf_ack(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if value & 1 and "async_pf" in self.by_name and (yield Get(pending(cpu.index, "async_pf"))):
            yield from self._wake_all(cpu)
        return HANDLED  # R12

    def _poll_control(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if value & ~1:
            return FAULT  # R13
        yield Set(register(cpu.index, MSR_KVM_POLL_CONTROL), None if value == 1 else value)
        return HANDLED

    def serving(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        if not feature.is_value:
            return super().serving(entries, owner, feature, gpa)
        msr = REGISTER_OF[feature.name]
        held = entries.get(register(owner, msr), AFTER_CREATION.get(msr, 0))
        return gpa if held == feature.guest_value else None

    def _keep(self, cpu: Vcpu, msr: int, value: int) -> Program:
        yield Set(register(cpu.index, msr), value or None)

    def _owner(self, cpu: Vcpu, msr: int) -> int:
        return VM if msr == MSR_KVM_WALL_CLOCK_NEW else cpu.index

    _WRITE: Mapping[int, Callable[..., Program]] = {
        MSR_KVM_SYSTEM_TIME_NEW: _system_time,
        MSR_KVM_WALL_CLOCK_NEW: _wall_clock,
        MSR_KVM_STEAL_TIME: _steal_time,
        MSR_KVM_PV_EOI_EN: _pv_eoi,
        MSR_KVM_ASYNC_PF_EN: _async_pf_en,
        MSR_KVM_ASYNC_PF_INT: _async_pf_int,
        MSR_KVM_ASYNC_PF_ACK: _async_pf_ack,
        MSR_KVM_POLL_CONTROL: _poll_control,
    }

    # -- live migration (R18) --------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: read every register of QEMU's list; one that CPUID hides reads 0."""
        saved = []
        for cpu in cpus:
            for _, msr, _, _ in QEMU_ORDER:
                saved.append((cpu.index, msr, (yield from self.on_rdmsr(cpu, msr, host_initiated=True))))
        return tuple(saved)

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        by_index = {cpu.index: cpu for cpu in cpus}
        refused: set[int] = set()
        for index, msr, value in saved:
            if index in refused and "order-free-restore" not in self.mitigations:
                continue  # KVM_SET_MSRS stops at the first entry it refuses
            outcome = yield from self.on_wrmsr(by_index[index], msr, value, host_initiated=True)
            if outcome is not HANDLED:
                refused.add(index)

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        """Each register is one kvm_msr_entry of 16 bytes; on the wire as QEMU 7.2 frames it (R18)."""
        found = []
        for cpu in cpus:
            for name, msr, wire, unsent in QEMU_ORDER:
                cell = ALIAS.get(msr, msr)
                value = entries.get(register(self._owner(cpu, cell), cell), AFTER_CREATION.get(cell, 0))
                if value != unsent:
                    found.append(StateEntry(cpu.index, name, 16, wire, "KVM_GET/SET_MSRS", True, True))
        return found
