"""No new registration: an area that is registered already, steal time, is grown. How KVM added features since 2016.

Source: Linux 6.12 arch/x86/kvm/x86.c (record_steal_time, kvm_steal_time_set_preempted), arch/x86/kernel/kvm.c
(kvm_register_steal_time, __kvm_vcpu_is_preempted, kvm_flush_tlb_multi). The same way: KVM_FEATURE_PREEMPT of LoongArch
(after 6.12), ``preempted`` in RISC-V's SBI STA. That it is a design of its own is this project's view of it.

R1  One register, STEAL_TIME, takes the address of 64 bytes and bit 0, as in ``per_feature`` (R6 there): one exit for
    the area and all that is in it. Bits 1 to 5 must be 0 (#GP); the address is not checked. Linux does not look at the
    outcome.
R2  A new feature is an offset in these bytes: 0 steal time as of 2011, 16 ``preempted``, 32 the request for a TLB
    flush. Whether a host writes it, a CPUID bit says. No exit, no register, no memory, no state.
R3  Nothing can be said but these offsets: no place of its own, no other owner than the vCPU, no more than what was
    padding (47 bytes in Linux). kvmclock (32 bytes) would leave 15; async page fault (64) and what belongs to the VM
    cannot come in.
R4  All lives and dies together: writing 0 revokes all, INIT clears all, and a feature alone can be neither moved nor
    revoked; its guest only looks away.
R5  A migration carries the one register, 16 bytes in KVM_SET_MSRS, and writing it registers again.
R6  An address without memory is accepted, and silent, with all that is in the area. Mitigation ``check-address``: it is
    #GP, and the guest looks at the outcome (this project's).
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from workbench.core.contracts import ControlBits, Feature, Protocol, StateEntry
from workbench.core.host_state import Key, area, register
from workbench.core.kvm_registers import STEAL_TIME
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.restoring import written
from workbench.core.steps import Backed, Get, Program, Rdmsr, Set, Wrmsr
from workbench.core.vcpu import Vcpu

BASE = "steal_base"
OFFSETS = {BASE: 0, "preempted": 16, "tlb_flush": 32}  # R2
AREA_BYTES = 64


class GrowArea(Protocol):
    """Steal time with what was added to it."""

    name = "grow_area"
    title = "an area is grown: steal time (KVM)"
    source = "Linux 6.12 arch/x86/kvm/x86.c, record_steal_time"
    own_features = (BASE, "preempted", "tlb_flush")
    msrs = frozenset({STEAL_TIME.msr})
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "check-address": "an address without memory is #GP, and the guest looks at the outcome (R6)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        """Tell whether it has an offset, and the area that has it is registered at all (R3)."""
        return feature.name in OFFSETS and BASE in self.by_name

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        base = gpa - OFFSETS[feature.name]
        if feature.name != BASE:
            return REFUSED if base % AREA_BYTES else ACCEPTED  # R2, R3
        outcome = yield Wrmsr(STEAL_TIME.msr, base | STEAL_TIME.enable)  # R1
        return REFUSED if outcome is FAULT and "check-address" in self.mitigations else ACCEPTED  # R6

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        if feature.name == BASE:
            yield Wrmsr(STEAL_TIME.msr, 0)  # R4
        return ACCEPTED

    def confirm(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        held = yield Rdmsr(STEAL_TIME.msr)
        at = None if held is FAULT else STEAL_TIME.address_in(held)
        return ACCEPTED if at == gpa - OFFSETS[feature.name] else REFUSED

    def control_bits(self, feature: Feature) -> ControlBits:
        is_base = feature.name == BASE
        return ControlBits(STEAL_TIME.enable, STEAL_TIME.reserved) if is_base else ControlBits()

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if not STEAL_TIME.is_allowed(value):
            return FAULT  # R1
        gpa = STEAL_TIME.address_in(value)
        if gpa is not None and "check-address" in self.mitigations and not (yield Backed(gpa, AREA_BYTES)):
            return FAULT  # R6
        yield from self._keep(cpu, value or None, gpa)
        return HANDLED

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        return (yield Get(register(cpu.index, msr))) or 0

    def on_init(self, cpu: Vcpu) -> Program:
        yield from self._keep(cpu, None, None)  # R4

    def _keep(self, cpu: Vcpu, value: int | None, gpa: int | None) -> Program:
        """Host: keep the register, and write every feature at its offset from now on, or none (R2, R4)."""
        yield Set(register(cpu.index, STEAL_TIME.msr), value)
        for feature in self.features:
            if self.supports(feature):
                yield Set(area(cpu.index, feature.name), None if gpa is None else gpa + OFFSETS[feature.name])

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        at = STEAL_TIME.address_in(entries.get(register(owner, STEAL_TIME.msr), 0))
        return None if at is None else at + OFFSETS.get(feature.name, 0)

    # -- live migration ------------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        for cpu in cpus:
            saved += ((cpu.index, (yield Get(register(cpu.index, STEAL_TIME.msr))) or 0),)
        return saved

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self._write_back))

    def _write_back(self, cpus: Sequence[Vcpu], item: tuple[int, int]) -> Program:
        index, value = item
        return (yield from self.on_wrmsr(cpus[index], STEAL_TIME.msr, value, host_initiated=True)) is HANDLED  # R5

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        return [
            StateEntry(cpu.index, STEAL_TIME.name, 16, STEAL_TIME.wire, "KVM_GET/SET_MSRS", True, True)
            for cpu in cpus
            if register(cpu.index, STEAL_TIME.msr) in entries
        ]
