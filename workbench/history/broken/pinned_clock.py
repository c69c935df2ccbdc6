"""kvmclock in Linux before April 2013: the page was looked up once, and the host wrote through that mapping.

V1  SYSTEM_TIME looks up the page of its address and keeps it (gfn_to_page; time_page, time_offset).
V2  The structure is written by one copy of 32 bytes into that page, at any offset in the page.
V3  Mitigation ``check-alignment``: an address that is not 32-byte aligned maps nothing; no #GP (CVE-2013-1796).
V4  Mitigation ``derive-again``: no page is kept; each write looks up the page at the address again (CVE-2013-1797).

Sources: CESA-2013:0727; "KVM: x86: fix for buffer overflow in handling of MSR_KVM_SYSTEM_TIME" (c300aa64ddf5);
"KVM: x86: Convert MSR_KVM_SYSTEM_TIME to use gfn_to_hva_cache functions" (0b79459b482e).
"""

from typing import ClassVar

from workbench.core.contracts import Feature
from workbench.core.host_state import area, pending, register
from workbench.core.kvm_registers import SYSTEM_TIME_NEW
from workbench.core.outcome import HANDLED
from workbench.core.steps import Get, Now, Program, Set
from workbench.core.vcpu import Vcpu
from workbench.features.kvmclock import PVCLOCK_VCPU_TIME_INFO
from workbench.history.hostmap import map_page, mapping, store
from workbench.protocols.per_feature import PerFeature


class PinnedClock(PerFeature):
    """One MSR per feature, with the clock's page mapped at the register write."""

    name = "pinned_clock"
    title = "kvmclock page pinned (2013)"
    mitigations_known: ClassVar[dict[str, str]] = {
        "check-alignment": "an unaligned SYSTEM_TIME maps nothing (V3)",
        "derive-again": "each write derives the mapping again (V4)",
    }

    def _system_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        gpa = SYSTEM_TIME_NEW.address_in(value)
        yield Set(register(cpu.index, SYSTEM_TIME_NEW.msr), value)
        yield Set(mapping(cpu.index, "kvmclock"), None)
        yield Set(area(cpu.index, "kvmclock"), None)
        if gpa is None or ("check-alignment" in self.mitigations and gpa % 32):  # V3
            return HANDLED
        if (yield from map_page(cpu.index, "kvmclock", gpa)):  # V1
            yield Set(area(cpu.index, "kvmclock"), gpa)
            yield Set(pending(cpu.index, "kvmclock"), True)
            yield from self.on_request(cpu)
        return HANDLED

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        if "derive-again" in self.mitigations:
            yield from super().deliver(cpu, feature)  # V4
            return
        mapped = yield Get(mapping(cpu.index, feature.name))
        gpa = yield Get(area(cpu.index, feature.name))
        if mapped is not None and gpa is not None:
            now = yield Now()
            info = PVCLOCK_VCPU_TIME_INFO(version=2, tsc_timestamp=now.tsc, system_time=now.ns)
            yield from store(mapped, gpa, info.pack())  # V2
        yield Set(pending(cpu.index, feature.name), None)

    _WRITE = {**PerFeature._WRITE, SYSTEM_TIME_NEW.msr: _system_time}  # noqa: RUF012
