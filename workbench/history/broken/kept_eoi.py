"""PV_EOI_EN in Linux before 5.16: the value was kept before the address was checked.

V1  The register takes the new value; then the address is looked up; a failure is #GP, and the value stays.
Source: afd67ee3cbbd, the fix (Vitaly Kuznetsov, 8 November 2021).
"""

from workbench.core.host_state import area
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.steps import Backed, Program, Set
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import ENABLED, MSR_KVM_PV_EOI_EN, PerFeature


class KeptEoi(PerFeature):
    """One MSR per feature, with PV_EOI_EN kept first."""

    name = "kept_eoi"
    title = "PV_EOI_EN kept first (before 5.16)"

    def _pv_eoi(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        gpa = value & ~ENABLED
        if gpa & 3:
            return FAULT
        yield from self._keep(cpu, MSR_KVM_PV_EOI_EN, value)  # V1
        if value & ENABLED and not (yield Backed(gpa, 1)):
            return FAULT  # V1
        yield Set(area(cpu.index, "pv_eoi"), gpa if value & ENABLED else None)
        return HANDLED

    _WRITE = {**PerFeature._WRITE, MSR_KVM_PV_EOI_EN: _pv_eoi}  # noqa: RUF012
