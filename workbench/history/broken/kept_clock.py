"""kvmclock that a reset of the vCPU leaves registered, as KVM had it before "KVM: x86: release kvmclock page on reset".

V1  INIT and RESET clear the other registers, and not SYSTEM_TIME: the host goes on writing the area.
V2  Mitigation ``release-on-reset``: the clock's area goes as well.
"""

from typing import ClassVar

from workbench.core.host_state import area, register
from workbench.core.kvm_registers import SYSTEM_TIME_NEW
from workbench.core.steps import Get, Program, Set
from workbench.core.vcpu import Vcpu
from workbench.protocols.per_feature import PerFeature


class KeptClock(PerFeature):
    """One MSR per feature; a reset leaves kvmclock."""

    name = "kept_clock"
    title = "kvmclock kept by a reset"
    mitigations_known: ClassVar[dict[str, str]] = {"release-on-reset": "a reset drops the clock's area (V2)"}

    def on_init(self, cpu: Vcpu) -> Program:
        value = yield Get(register(cpu.index, SYSTEM_TIME_NEW.msr))
        gpa = yield Get(area(cpu.index, "kvmclock"))
        yield from super().on_init(cpu)
        if "release-on-reset" not in self.mitigations:
            yield Set(register(cpu.index, SYSTEM_TIME_NEW.msr), value)  # V1
            yield Set(area(cpu.index, "kvmclock"), gpa)
