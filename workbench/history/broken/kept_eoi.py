"""PV_EOI_EN in Linux before 5.16: the value was stored before the address was checked.

V1  The register takes the new value; then the address is looked up; a failure is #GP, but the value stays.
Source: afd67ee3cbbd, the fix (Vitaly Kuznetsov, 8 November 2021).
"""

from workbench.core import address_cache
from workbench.core.kvm_registers import PV_EOI_EN
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature


class KeptEoi(PerFeature):
    """One MSR per feature, with PV_EOI_EN stored before the check."""

    name = "kept_eoi"
    title = "PV_EOI_EN kept first (before 5.16)"

    def _pv_eoi(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not PV_EOI_EN.is_allowed(value):
            return FAULT
        gpa = PV_EOI_EN.address_in(value)
        yield from self._keep(cpu, PV_EOI_EN, value)  # V1
        if gpa is None:
            yield from address_cache.release(cpu.index, "pv_eoi")
        elif not (yield from address_cache.point(cpu.index, "pv_eoi", gpa, PV_EOI_EN.touches, kept=True)):
            return FAULT  # V1
        return HANDLED

    _WRITE = {**PerFeature._WRITE, PV_EOI_EN.msr: _pv_eoi}  # noqa: RUF012
