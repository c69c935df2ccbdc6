"""Two restores of KVM's registers that end the machine: KVM refuses an entry, and QEMU asserts that it does not.

HiddenClock (until 2026)
V1  CPUID bits are enforced, and a register whose bit is missing refuses the host too: the 0 that QEMU has from its own
    reset, and the read (which is not modelled: here it reads 0).
V2  Mitigation ``host-may-write-0``: the host may write 0 to a register that it offers ("KVM: x86: Return
    "unsupported" instead of "invalid" on access to unsupported PV MSR", 5bb9ac186512).

SwappedAsyncPf (QEMU, 2020)
V3  The VMM writes the value of ASYNC_PF_INT to ASYNC_PF_EN ("failed to set MSR 0x4b564d02 to 0xf3").
V4  Mitigation ``right-register``: it writes each value to its register, INT before EN ("target/i386: Fix VM
    migration when interrupt based APF is enabled", Vitaly Kuznetsov, September 2020).

In both cases QEMU aborts on the destination, and the guest is lost (the cases' events are under QEMU; that of V1 under
QEMU 9.2, because since 10.0 it writes no clock that it does not offer).
"""

from collections.abc import Sequence
from typing import Any, ClassVar

from workbench.core.kvm_registers import ASYNC_PF_EN, ASYNC_PF_INT
from workbench.core.outcome import UNKNOWN
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature


class HiddenClock(PerFeature):
    """One MSR per feature, with CPUID enforced; the host cannot write hidden registers."""

    name = "hidden_clock"
    title = "hidden registers refuse 0 (until 2026)"
    mitigations_known: ClassVar[dict[str, str]] = {"host-may-write-0": "0 is accepted from the host (V2)"}

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        cpu = cpu.but(enforce_cpuid=True)  # V1
        if not cpu.may_use(self.registers[msr].cpuid_bit) and "host-may-write-0" not in self.mitigations:
            return UNKNOWN  # V1
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))  # V2

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        return (yield from super().on_rdmsr(cpu.but(enforce_cpuid=True), msr, host_initiated=host_initiated))


class SwappedAsyncPf(PerFeature):
    """One MSR per feature, restored by a VMM that mixes up two registers."""

    name = "swapped_async_pf"
    title = "QEMU mixes up ASYNC_PF (2020)"
    mitigations_known: ClassVar[dict[str, str]] = {"right-register": "each value goes to its register (V4)"}

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        if "right-register" not in self.mitigations:
            was, now = ASYNC_PF_INT.msr, ASYNC_PF_EN.msr  # V3
            saved = tuple((index, now if msr == was else msr, value) for index, msr, value in saved)
        return (yield from super().restore(cpus, saved))  # V4
