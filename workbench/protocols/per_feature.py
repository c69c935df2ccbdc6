"""One MSR per feature, as Linux KVM does it.

Source: Linux 6.12 arch/x86/kvm/x86.c (kvm_set_msr_common, kvm_get_msr_common, kvm_write_system_time,
kvm_write_wall_clock, kvm_pv_enable_async_pf, kvm_pv_enable_async_pf_int, record_steal_time, kvm_vcpu_reset),
arch/x86/kvm/lapic.c (kvm_lapic_set_pv_eoi), virt/kvm/pfncache.c; guest: arch/x86/kernel/kvm.c, kvmclock.c;
QEMU 7.2 target/i386/kvm/kvm.c and machine.c.

R1  Each feature has a register of its own; its value is address and control bits; a registration is one exit.
R2  0x11 and 0x12 are second names of 0x4b564d00 and 0x4b564d01: both names of a pair access one value.
R3  WALL_CLOCK: no enable bit, no check; for a value other than 0 the payload is written at once, also for the host.
R4  SYSTEM_TIME: bit 0 enables. No address is ever refused. A guest's write of the boot vCPU by the old number 0x12,
    whatever its value, ends the VM's master clock: no vCPU's clock is offered as stable (TSC_STABLE) until that vCPU
    writes the new number. Every clock is then written again. Writes of other vCPUs, those of the host and INIT change
    nothing, and another host does not know of it (kvm_write_system_time, boot_vcpu_runs_old_kvmclock; 54750f2cf042).
R5  SYSTEM_TIME: an area that crosses a page is not mapped; the previously mapped area stays live.
R6  STEAL_TIME: bits 1 to 5 must be 0 (#GP), enabled or not; the address is not checked.
R7  PV_EOI_EN: bit 1 must be 0 (#GP), enabled or not; enabling with an unbacked address is #GP. The register then reads
    the value before (since 5.16, afd67ee3cbbd), but KVM writes nowhere until the memslots change (R22).
R8  ASYNC_PF_EN: bits 4 and 5 must be 0 (#GP); without a LAPIC in the kernel every value except 0 is #GP.
R9  ASYNC_PF_EN: enabled means bits 0 and 3; if one is missing, the write succeeds but has no effect. Enabling
    wakes all tasks: token ~0 at the next entry, or at the next ACK if the token is not 0 at that entry
    (kvm_async_pf_wakeup_all).
R10 ASYNC_PF_EN: enabling with an unbacked address is #GP, but the register keeps the refused value, and KVM writes
    nowhere until the memslots change; then to the last address that it accepted, even if that was disabled since
    (R22). Kernels with the series 20260406225359.1245490 (April 2026) keep the value before, and are then like R7; that
    they too spoil the cached address is read in the source, not measured.
R11 ASYNC_PF_INT: bits 8 to 63 must be 0 and the LAPIC must be in the kernel; otherwise #GP, even for 0.
R12 ASYNC_PF_ACK: never refused; reads 0. Bit 0 requests the event that waits until the guest has taken the last token.
R13 POLL_CONTROL: bits 1 to 63 must be 0 (#GP); 1 after creation.
R14 MIGRATION_CONTROL is not served by KVM; it is an unknown register unless the VMM asked for the exit.
R15 Without the feature's CPUID bit, and only if enforcement is on, the register is unknown to the guest, which
    gets #GP by default; the host may only read it (0) and write 0 (as since commit 5bb9ac186512). Bits 2
    and 3 of ASYNC_PF_EN need CPUID bits of their own (#GP).
R16 INIT clears all registers except WALL_CLOCK and POLL_CONTROL.
R17 A write by the host (KVM_SET_MSRS) passes the same checks and registers again.
R18 A migration carries each register's value as KVM_GET_MSRS reads it, zeros included. At a refused entry
    KVM_SET_MSRS stops and says how many it has written. Which registers, in which order, and what follows a refusal is
    the VMM's affair (``workbench.core.vmm``; events ``migrate@qemu`` ...). An event that names none has QEMU's list,
    whole, and a VMM that does not look: the list of that vCPU ends, so the order decides what is lost (the clocks are
    first, and ASYNC_PF_INT is before ASYNC_PF_EN). Mitigation ``order-free-restore``.
R19 The guest does not check the outcome (a #GP is fixed up with a warning).
R20 Writing 0 revokes (POLL_CONTROL: 1). Linux never clears WALL_CLOCK and ASYNC_PF_INT. The guest may read every
    register back; Linux reads POLL_CONTROL only (kvm_suspend).
R21 A feature that the kernel serves may define a register that KVM does not have (``Feature.registers``). A host with
    this register treats it like STEAL_TIME: reserved bits must be 0 (#GP), the address is not checked, INIT clears it
    if it belongs to a vCPU. A payload that is due at registration or on request is written at once. A migration
    carries the register after the others.
R22 PV_EOI_EN and ASYNC_PF_EN keep their addresses in a gfn_to_hva_cache, and kvmclock its own in a gfn_to_pfn_cache:
    ``workbench.core.address_cache`` says what a refusal and a change of the memslots do to them.

The bits of each register and their names: ``workbench.core.kvm_registers``.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from workbench.clayout.layout import U32, Abi
from workbench.core import address_cache
from workbench.core.contracts import ControlBits, Feature, Protocol, StateEntry
from workbench.core.host_state import VM, Key, area, old_clock, pending, register
from workbench.core.kvm_registers import (
    APF_DELIVER_AS_VMEXIT,
    ASYNC_PF_ACK,
    ASYNC_PF_EN,
    ASYNC_PF_INT,
    HYPERVISOR_CALLBACK_VECTOR,
    KVM_REGISTERS,
    MIGRATION_CONTROL,
    POLL_CONTROL,
    PV_EOI_EN,
    QEMU_ORDER,
    STEAL_TIME,
    SYSTEM_TIME_NEW,
    WALL_CLOCK_NEW,
    Register,
)
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED, UNKNOWN, Outcome
from workbench.core.restoring import written
from workbench.core.steps import AllVcpus, Get, Load, Program, Rdmsr, Set, Store, Wrmsr
from workbench.core.updates import updates
from workbench.core.vcpu import Vcpu

#: KVM has all of these, whichever features a scenario selects; it does not serve MIGRATION_CONTROL (R14).
KVMS_OWN = MappingProxyType(
    {one.msr: one for several in KVM_REGISTERS.values() for one in several if one is not MIGRATION_CONTROL}
)

#: R9: states of the wake-all: KVM tries it at the next entry, or waits until the guest acknowledges.
REQUESTED, WAITING = "requested", "waiting"
WAKE_ALL = 0xFFFF_FFFF
#: The vCPU by whose clock KVM decides whether there is a master clock (vcpu_id 0).
BOOT_VCPU = 0


class PerFeature(Protocol):
    """MSR_KVM_* of arch/x86/include/uapi/asm/kvm_para.h."""

    name = "per_feature"
    title = "one MSR per feature (KVM)"
    source = "Linux 6.12 arch/x86/kvm/x86.c"
    msrs = frozenset(KVMS_OWN)
    native = MappingProxyType({name: several[0].msr for name, several in KVM_REGISTERS.items()})  # R14: not claimed
    mitigations_known = {
        "revoke-on-crossing": "a SYSTEM_TIME area that crosses a page unmaps the previous area (R5)",
        "quiet-restore": "WALL_CLOCK written by the host is stored, but no payload is written (R17)",
        "order-free-restore": "the VMM continues after an entry that KVM_SET_MSRS refuses (R18)",
        "commit-after-check": "a refused value is not kept in ASYNC_PF_EN; what KVM then writes is as in R7 (R10)",
    }

    def __init__(self, features: Sequence[Feature], mitigations: Iterable[str] = ()) -> None:
        super().__init__(features, mitigations)
        brought = [one for one in self.features if one.brings_register]
        self.register_of = {name: several[0] for name, several in KVM_REGISTERS.items()}
        self.register_of |= {one.name: one.registers[0] for one in brought}
        #: R21: the registers that KVM does not have, by number, each with the feature that defines it.
        self._brought = {r.msr: (r, one) for one in brought if one.served_by == "kernel" for r in one.registers}
        self.registers = {**KVMS_OWN, **{msr: one for msr, (one, _) in self._brought.items()}}
        self._of_vm = {WALL_CLOCK_NEW.msr, *(msr for msr, (_, one) in self._brought.items() if one.scope == "vm")}
        faults = self.by_name.get("async_pf")
        self._token = 0 if faults is None else faults.payload.on(Abi.X86_64).offset_of("token")
        self._own = tuple(one for one, _ in self._brought.values() if one.cell == one.msr)
        self._claim(frozenset(self._brought))

    def _claim(self, msrs: frozenset[int]) -> None:
        """R21: claim registers that KVM does not have; a class that replaces KVM's host side serves them itself."""
        vars(self)["msrs"] = self.msrs | msrs
        vars(self)["deflected"] = self.deflected | (frozenset() if self.native else msrs)

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        """Only features with a register can be expressed (R1)."""
        return feature.name in self.register_of

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        asked = self.register_of[feature.name]
        value = gpa | asked.enable  # R3: the wall clock has no such bit
        if feature.is_value:
            value = feature.guest_value
        elif asked is ASYNC_PF_EN:
            yield Wrmsr(ASYNC_PF_INT.msr, HYPERVISOR_CALLBACK_VECTOR)
            value |= APF_DELIVER_AS_VMEXIT if 10 in cpu.cpuid else 0
        yield Wrmsr(asked.msr, value)  # R1
        return ACCEPTED  # R19

    def control_bits(self, feature: Feature) -> ControlBits:
        asked = self.register_of[feature.name]
        return ControlBits(asked.enable, asked.reserved, asked.gates)

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        asked = self.register_of[feature.name]
        if asked is not WALL_CLOCK_NEW:  # R20
            yield Wrmsr(asked.msr, asked.initial)
        return ACCEPTED  # R19

    def confirm(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        asked = self.register_of[feature.name]
        value = yield Rdmsr(asked.msr)  # R20
        if value is FAULT:
            return REFUSED
        holds = value == feature.guest_value if feature.is_value else asked.address_in(value) == gpa
        return ACCEPTED if holds else REFUSED

    def acknowledge(self, cpu: Vcpu, feature: Feature) -> Program:
        if feature.name == "async_pf":
            yield Wrmsr(ASYNC_PF_ACK.msr, 1)  # R12

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        written = self.registers[msr]
        if not cpu.may_use(written.cpuid_bit):  # R15
            return HANDLED if host_initiated and value == 0 else UNKNOWN
        if written.cell == SYSTEM_TIME_NEW.msr and not host_initiated:
            yield from self._which_clock(cpu, old=written.msr != written.cell)
        write = self._WRITE.get(written.cell)  # R2
        if write is None:
            return (yield from self._brought_register(cpu, *self._brought[written.cell], value))
        outcome: Outcome = yield from write(self, cpu, value, host_initiated)  # R17
        return outcome

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        read = self.registers[msr]
        if not cpu.may_use(read.cpuid_bit):  # R15
            return 0 if host_initiated else UNKNOWN
        value = yield Get(self._place(cpu, read))
        return read.initial if value is None else value

    def on_init(self, cpu: Vcpu) -> Program:
        for feature in ("kvmclock", "async_pf", "pv_eoi", "steal_time"):  # R16
            yield Set(register(cpu.index, self.register_of[feature].msr), None)
            if self.register_of[feature].in_cache:
                yield from address_cache.release(cpu.index, feature)
            else:
                yield Set(area(cpu.index, feature), None)
        yield Set(register(cpu.index, ASYNC_PF_INT.msr), None)
        yield Set(pending(cpu.index, "async_pf"), None)
        for brought, feature_of_it in self._brought.values():  # R21
            if feature_of_it.scope == "vcpu":
                yield Set(self._place(cpu, brought), None)
                yield Set(area(cpu.index, feature_of_it.name), None)

    def on_entry(self, cpu: Vcpu) -> Program:
        yield from super().on_entry(cpu)
        if "async_pf" in self.by_name and (yield Get(pending(cpu.index, "async_pf"))) == REQUESTED:
            yield from self._wake_all(cpu)  # R9

    @updates("async_pf")
    def _wake_all(self, cpu: Vcpu) -> Program:
        """Host: write the token of the wake-all if the guest has taken the last token; otherwise keep it waiting."""
        gpa = yield Get(area(cpu.index, "async_pf"))
        taken = gpa is not None and (yield Load(gpa + self._token, U32)) == 0
        if taken:
            yield Store(gpa + self._token, WAKE_ALL, U32)
        yield Set(pending(cpu.index, "async_pf"), None if taken else WAITING)

    def _which_clock(self, cpu: Vcpu, *, old: bool) -> Program:
        """Host: note by which number the boot vCPU writes its clock; if by another than before, update all clocks."""
        if bool((yield Get(old_clock()))) is old or cpu.index != BOOT_VCPU:
            return
        yield Set(old_clock(), old or None)  # R4
        for each in (yield AllVcpus()):
            yield Set(pending(each, "kvmclock"), True)  # KVM_REQ_MASTERCLOCK_UPDATE

    def _system_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        yield Set(register(cpu.index, SYSTEM_TIME_NEW.msr), value)
        gpa = SYSTEM_TIME_NEW.address_in(value)
        if gpa is None:
            yield Set(area(cpu.index, "kvmclock"), None)
        elif gpa % PAGE_SIZE + SYSTEM_TIME_NEW.touches <= PAGE_SIZE:
            yield Set(area(cpu.index, "kvmclock"), gpa)  # R4
        elif "revoke-on-crossing" in self.mitigations:
            yield Set(area(cpu.index, "kvmclock"), None)  # R5
        if gpa is not None:
            yield Set(pending(cpu.index, "kvmclock"), True)
            if not host_initiated:
                # KVM_REQ_CLOCK_UPDATE is served before the guest's next instruction.
                yield from self.on_request(cpu)
        return HANDLED

    def on_request(self, cpu: Vcpu) -> Program:
        """Host: make the clock update that a guest's write requested, before the guest continues."""
        feature = self.by_name.get("kvmclock")
        if feature is not None:
            yield from self.deliver(cpu, feature)

    def _wall_clock(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        yield Set(register(VM, WALL_CLOCK_NEW.msr), value)
        yield Set(area(VM, "wall_clock"), WALL_CLOCK_NEW.address_in(value))
        feature = self.by_name.get("wall_clock")
        quietly = host_initiated and "quiet-restore" in self.mitigations
        if feature is not None and value and not quietly:
            yield from self.deliver(cpu, feature)  # R3
        return HANDLED

    def _steal_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not STEAL_TIME.is_allowed(value):
            return FAULT  # R6
        yield from self._keep(cpu, STEAL_TIME, value)
        yield Set(area(cpu.index, "steal_time"), STEAL_TIME.address_in(value))
        return HANDLED

    def _pv_eoi(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not PV_EOI_EN.is_allowed(value):
            return FAULT  # R7
        gpa = PV_EOI_EN.address_in(value)
        if gpa is None:
            yield from address_cache.release(cpu.index, "pv_eoi")  # R22
        elif not (yield from address_cache.point(cpu.index, "pv_eoi", gpa, PV_EOI_EN.touches)):
            return FAULT  # R7
        yield from self._keep(cpu, PV_EOI_EN, value)
        return HANDLED

    def _async_pf_en(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not ASYNC_PF_EN.is_allowed(value):
            return FAULT  # R8
        for bit, needed in ASYNC_PF_EN.gates:
            if value & bit and not cpu.may_use(needed):
                return FAULT  # R15
        if not cpu.host.irqchip:
            return FAULT if value else HANDLED  # R8
        gpa = ASYNC_PF_EN.address_in(value)  # R9
        after = "commit-after-check" in self.mitigations
        if not after:
            yield from self._keep(cpu, ASYNC_PF_EN, value)  # R10: before the check
        if gpa is None:
            yield from address_cache.release(cpu.index, "async_pf")
        elif not (yield from address_cache.point(cpu.index, "async_pf", gpa, ASYNC_PF_EN.touches, kept=not after)):
            return FAULT  # R10
        if after:
            yield from self._keep(cpu, ASYNC_PF_EN, value)
        if "async_pf" in self.by_name:
            yield from self._queue_wake_all(cpu, gpa is not None)
        return HANDLED

    def _queue_wake_all(self, cpu: Vcpu, enabled: bool) -> Program:
        """R9: disabling drops a waiting wake-all; enabling queues one unless one is already queued."""
        key = pending(cpu.index, "async_pf")
        if not enabled:
            yield Set(key, None)
        elif not (yield Get(key)):
            yield Set(key, REQUESTED)  # KVM_REQ_APF_READY

    def _async_pf_int(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not ASYNC_PF_INT.is_allowed(value) or not cpu.host.irqchip:
            return FAULT  # R11
        yield from self._keep(cpu, ASYNC_PF_INT, value)
        return HANDLED

    def _async_pf_ack(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if value & 1 and "async_pf" in self.by_name and (yield Get(pending(cpu.index, "async_pf"))):
            yield from self._wake_all(cpu)
        return HANDLED  # R12

    def _poll_control(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not POLL_CONTROL.is_allowed(value):
            return FAULT  # R13
        yield from self._keep(cpu, POLL_CONTROL, value)
        return HANDLED

    def _brought_register(self, cpu: Vcpu, written: Register, feature: Feature, value: int) -> Program:
        """R21: write ``value`` to ``written``, a register that KVM does not have, which serves ``feature``."""
        if not written.is_allowed(value) or any(value & bit and not cpu.may_use(n) for bit, n in written.gates):
            return FAULT
        yield from self._keep(cpu, written, value)
        if written is not feature.registers[0] or not written.address:
            return HANDLED
        gpa = written.address_in(value)
        yield Set(area(self._place(cpu, written).cpu, feature.name), gpa)
        if gpa is not None and feature.update_when == "request":
            yield Set(pending(cpu.index, feature.name), True)
        if gpa is not None and feature.update_when in ("request", "registration"):
            yield from self.deliver(cpu, feature)
        return HANDLED

    def serving(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        if not feature.is_value:
            return super().serving(entries, owner, feature, gpa)
        asked = self.register_of[feature.name]
        held = entries.get(register(owner, asked.msr), asked.initial)
        return gpa if held == feature.guest_value else None

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        asked = self.register_of[feature.name]
        if feature.is_value or not feature.registers or feature.name not in self.by_name:
            return self.serving(entries, owner, feature, gpa)
        return asked.address_in(entries.get(register(owner, asked.cell), asked.initial))

    def _keep(self, cpu: Vcpu, written: Register, value: int) -> Program:
        """Host: store a register's value; its value after creation is stored as no entry (R13)."""
        yield Set(self._place(cpu, written), None if value == written.initial else value)

    def _place(self, cpu: Vcpu, one: Register) -> Key:
        """Return the key of a register's value in the host state; both names of a register have one key (R2)."""
        return register(VM if one.cell in self._of_vm else cpu.index, one.cell)

    _WRITE: Mapping[int, Callable[..., Program]] = {
        SYSTEM_TIME_NEW.msr: _system_time,
        WALL_CLOCK_NEW.msr: _wall_clock,
        STEAL_TIME.msr: _steal_time,
        PV_EOI_EN.msr: _pv_eoi,
        ASYNC_PF_EN.msr: _async_pf_en,
        ASYNC_PF_INT.msr: _async_pf_int,
        ASYNC_PF_ACK.msr: _async_pf_ack,
        POLL_CONTROL.msr: _poll_control,
    }

    # -- live migration (R18) --------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: read every register of its list; a register that CPUID hides reads 0."""
        saved: tuple[Any, ...] = ()
        for cpu in cpus:
            own: tuple[Any, ...] = ()
            for one in (*cpu.host.vmm.order, *self._own):
                if cpu.is_carried(one):
                    own += ((cpu.index, one.msr, (yield from self.on_rdmsr(cpu, one.msr, host_initiated=True))),)
            saved += own
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        listed = tuple(item for item in saved if cpus[item[0]].is_carried(self.registers[item[1]]))
        in_lists = "order-free-restore" not in self.mitigations
        return (yield from written(cpus, listed, self._write_back, in_lists=in_lists))

    def _write_back(self, cpus: Sequence[Vcpu], item: tuple[int, int, int]) -> Program:
        index, msr, value = item
        return (yield from self.on_wrmsr(cpus[index], msr, value, host_initiated=True)) is HANDLED

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        """Each register is one kvm_msr_entry of 16 bytes; its bytes in the migration stream are QEMU 7.2's (R18)."""
        return [
            StateEntry(cpu.index, one.name, 16, one.wire, "KVM_GET/SET_MSRS", True, True)
            for cpu in cpus
            for one in (*QEMU_ORDER, *self._own)
            if one.always_sent or entries.get(self._place(cpu, one), one.initial) != one.initial
        ]
