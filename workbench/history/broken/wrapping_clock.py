"""kvmclock in Linux from 2013 to 2018: an area whose end wrapped around had no pages, so none was checked.

V1  kvm_gfn_to_hva_cache_init checks each page from that of gpa to that of gpa + len - 1, in 64-bit arithmetic.
V2  SYSTEM_TIME serves the area if this check finds no error.
V3  Mitigation ``refuse-wraparound``: a last page before the first is an error.

Sources: 8f964525a121 (2013), "kvm: Disallow wraparound in kvm_gfn_to_hva_cache_init" (f1b9dd5eb86c, 2018), and
fcfbc617547f (callers could continue with a cache whose initialization had failed).
"""

from typing import ClassVar

from workbench.core.host_state import area, pending, register
from workbench.core.kvm_registers import SYSTEM_TIME_NEW
from workbench.core.memory import GPA_LIMIT, PAGE_SIZE
from workbench.core.outcome import HANDLED
from workbench.core.steps import Backed, Program, Set
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature


class WrappingClock(PerFeature):
    """One MSR per feature, with the check of 2013 to 2018."""

    name = "wrapping_clock"
    title = "kvmclock, wrapping check (2013-18)"
    mitigations_known: ClassVar[dict[str, str]] = {"refuse-wraparound": "gpa + len must not wrap (V3)"}

    def _system_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        gpa = SYSTEM_TIME_NEW.address_in(value)
        yield Set(register(cpu.index, SYSTEM_TIME_NEW.msr), value)
        is_served = gpa is not None and (yield from self._check(gpa, SYSTEM_TIME_NEW.touches))
        yield Set(area(cpu.index, "kvmclock"), gpa if is_served else None)  # V2
        yield Set(pending(cpu.index, "kvmclock"), is_served or None)
        return HANDLED

    def _check(self, gpa: int, size: int) -> Program:
        first, last = gpa // PAGE_SIZE, (gpa + size - 1) % GPA_LIMIT // PAGE_SIZE  # V1
        if last < first and "refuse-wraparound" in self.mitigations:
            return False  # V3
        for page in range(first, last + 1):
            if not (yield Backed(page * PAGE_SIZE, PAGE_SIZE)):
                return False
        return True

    _WRITE = {**PerFeature._WRITE, SYSTEM_TIME_NEW.msr: _system_time}  # noqa: RUF012
