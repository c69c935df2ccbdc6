"""RISC-V's SBI extension STA: the convention of all its set_shmem calls, for steal time.

Source: riscv-sbi-doc ext-steal-time.adoc and binary-encoding.adoc (shared memory); Linux 6.12
arch/riscv/kvm/vcpu_sbi_sta.c (kvm_sbi_sta_steal_time_set_shmem, kvm_riscv_vcpu_record_steal_time), and fa9681ed5c6a
(2026); guest: arch/riscv/kernel/paravirt.c (sbi_sta_steal_time_set_shmem, pv_time_cpu_online).

R1  Extension 0x535441, function 0, takes (address low, address high, flags) and answers (error, value). One exit; a
    hart registers for itself alone.
R2  Flags must be 0, and the address aligned to 64 bytes (INVALID_PARAM); the high half must be 0 on RV64, and the
    address must be RAM (INVALID_ADDRESS).
R3  All ones in both halves revokes.
R4  The host zeroes the 64 bytes before it answers, because the specification asks for it; the guest need not.
    If that fails, the call does (FAILED).
R5  An update that finds no memory ends the registration (KVM: with a WARN_ON).
R6  A reset of the hart revokes.
R7  The guest looks at the error, and runs without steal time if there is one.
R8  The VMM reads and writes two registers, the halves of the address (KVM_REG_RISCV_SBI_STA), 16 bytes. Writing checks
    the alignment, as since fa9681ed5c6a, and does not zero. Mitigation ``validate-restore``: all of R2 (this
    project's).
R9  Linux registers on each CPU that comes up, and revokes on each that goes down.

Not modelled: KVM counts from the registration on (last_steal); here the first update adds all that was stolen before.
"""

from collections.abc import Mapping
from typing import ClassVar

from workbench.core.contracts import Feature
from workbench.core.host_state import area
from workbench.core.outcome import ACCEPTED, REFUSED
from workbench.core.steps import Backed, Get, Hypercall, Program, Store
from workbench.core.vcpu import Vcpu
from workbench.protocols._kept import Kept

EXT_STA = 0x53_5441
SUCCESS, FAILED, NOT_SUPPORTED, INVALID_PARAM, INVALID_ADDRESS = 0, -1, -2, -3, -5
ALL_ONES = (1 << 64) - 1


class SbiSta(Kept):
    """sbi_steal_time_set_shmem."""

    name = "sbi_sta"
    title = "RISC-V SBI STA set_shmem"
    source = "riscv-sbi-doc ext-steal-time.adoc"
    own_features = ("sbi_sta",)
    hypercalls = frozenset({EXT_STA})
    call_instruction = "ECALL"
    unknown_hypercall = (NOT_SUPPORTED, 0)
    interface = "KVM_SET_ONE_REG"  # R8
    wire_bytes = 16
    mitigations_known: ClassVar[Mapping[str, str]] = {
        "validate-restore": "the VMM's write is checked as the call is (R8)",
    }

    # -- the guest's side ----------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        return feature.name in self.own_features

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._set_shmem(gpa, 0))

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self._set_shmem(ALL_ONES, ALL_ONES))  # R3, R9

    def _set_shmem(self, low: int, high: int) -> Program:
        (number,) = self.hypercalls
        error, _ = yield Hypercall(number, (low, high, 0))  # R1
        return ACCEPTED if error == SUCCESS else REFUSED  # R7

    # -- the host's side -----------------------------------------------------------------------------

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        low, high, flags = arguments
        (feature,) = self.kept()
        if flags:
            return INVALID_PARAM, 0  # R2
        if self.means_off(low, high):
            yield from self.keep(cpu.index, feature, None)
            return SUCCESS, 0
        error = yield from self.refusal(feature, low, high)
        if error == SUCCESS and not (yield Store(low, bytes(feature.size))):  # R4
            error = FAILED
        if error == SUCCESS:
            yield from self.keep(cpu.index, feature, low)
        return error, 0

    def means_off(self, low: int, high: int) -> bool:
        """Tell whether these halves revoke (R3)."""
        return low == high == ALL_ONES

    def refusal(self, feature: Feature, low: int, high: int) -> Program:
        """Host: return the error with which an address is refused, or SUCCESS (R2)."""
        if low % feature.align:
            return INVALID_PARAM
        if high or not (yield Backed(low, feature.size)):
            return INVALID_ADDRESS
        return SUCCESS

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is not None and not (yield Backed(gpa, feature.size)):
            yield from self.keep(cpu.index, feature, None)  # R5
            return
        yield from super().deliver(cpu, feature)

    def may_restore(self, cpu: Vcpu, feature: Feature, value: int) -> Program:
        """Host: the check of the VMM's registers (R8)."""
        if "validate-restore" in self.mitigations:
            return (yield from self.refusal(feature, value, 0)) == SUCCESS
        return value % feature.align == 0

    def on_init(self, cpu: Vcpu) -> Program:
        yield from self.forget((cpu.index,))  # R6
