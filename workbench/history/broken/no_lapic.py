"""A KVM without LAPIC refuses to disable what cannot be enabled, and the VMM does not start.

V1  Without a LAPIC in the kernel, ASYNC_PF_EN refuses every value, 0 too (since 9d3c447c72fb, 2020).
V2  Mitigation ``zero-allowed``: 0 is accepted, because it enables nothing (d831de177217, 5.9).
"""

from typing import ClassVar

from workbench.core.kvm_registers import ASYNC_PF_EN
from workbench.core.outcome import FAULT
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature


class ZeroRefused(PerFeature):
    """One MSR per feature; without LAPIC, ASYNC_PF_EN refuses 0."""

    name = "zero_refused"
    title = "ASYNC_PF_EN refuses 0 (5.8)"
    mitigations_known: ClassVar[dict[str, str]] = {"zero-allowed": "0 is accepted without LAPIC (V2)"}

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        if msr == ASYNC_PF_EN.msr and not cpu.host.irqchip and "zero-allowed" not in self.mitigations:
            return FAULT  # V1
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))  # V2
