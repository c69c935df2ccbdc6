"""Steal time in Linux before and after 5.16: three ways in which a stale cached translation was used.

FrameCache (until 5.16)
V1  The host maps the page of the area to write it, and keeps the mapping from one update to the next.
V2  It is not notified when the host's memory management moves the page to another frame.
V3  Mitigation ``by-user-address``: each update goes through the page tables ("KVM: x86: Fix recording of guest
    steal time / preempted status", 7e2175ebd695; "basically a use-after-free", Sean Christopherson, 27 Jan 2022).

AddressCache (from 5.16)
V4  The area's address is translated again when the memslots have changed, but not when the register has.
V5  Mitigation ``compare-address``: also when the register has ("KVM: x86: revalidate steal time cache if MSR value
    changes", 901d3765fa80, 2022).

PreemptedCache (from 5.16)
V6  When a vCPU is scheduled out, ``preempted`` is written to the address that the last update used.
V7  Mitigation ``compare-address``: only if the register has this address ("KVM: x86: do not report preemption if the
    steal time cache is stale").
"""

from typing import ClassVar

from workbench.clayout.layout import U8, U64
from workbench.core.contracts import Feature
from workbench.core.host_state import Key, area, register
from workbench.core.kvm_registers import STEAL_TIME
from workbench.core.outcome import FAULT, HANDLED
from workbench.core.steps import Get, Now, Program, Set, Store
from workbench.core.vcpu import Vcpu
from workbench.features.steal_time import PREEMPTED
from workbench.history.hostmap import map_page, mapping, store
from workbench.protocols.per_feature import PerFeature


class FrameCache(PerFeature):
    """Steal time through a mapping of its page."""

    name = "frame_cache"
    title = "steal time page mapped (until 5.16)"
    mitigations_known: ClassVar[dict[str, str]] = {"by-user-address": "each update goes through page tables (V3)"}

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        if "by-user-address" in self.mitigations:
            yield from super().deliver(cpu, feature)  # V3
            return
        gpa = yield Get(area(cpu.index, feature.name))
        if gpa is None:
            return
        mapped = yield Get(mapping(cpu.index, feature.name))
        if mapped is None:
            yield from map_page(cpu.index, feature.name, gpa)  # V1
            mapped = yield Get(mapping(cpu.index, feature.name))
        if mapped is not None:
            yield from store(mapped, gpa, U64.pack((yield Now()).run_delay))  # V2


def cache(cpu: int) -> Key:
    """The key of the cached address of steal time (value: gpa)."""
    return Key("cache", cpu, "steal_time")


class AddressCache(PerFeature):
    """Steal time at an address that is translated once."""

    name = "address_cache"
    title = "steal time address cached (5.16)"
    mitigations_known: ClassVar[dict[str, str]] = {"compare-address": "a new address is a new derivation (V5)"}

    def _steal_time(self, cpu: Vcpu, value: int, host_initiated: bool) -> Program:
        if not STEAL_TIME.is_allowed(value):
            return FAULT
        yield Set(register(cpu.index, STEAL_TIME.msr), value or None)
        asked = STEAL_TIME.address_in(value)
        if asked is None:
            yield Set(area(cpu.index, "steal_time"), None)
            return HANDLED
        place = yield Get(cache(cpu.index))
        if place is None or "compare-address" in self.mitigations:  # V4, V5
            place = asked
            yield Set(cache(cpu.index), place)
        yield Set(area(cpu.index, "steal_time"), place)
        return HANDLED

    _WRITE = {**PerFeature._WRITE, STEAL_TIME.msr: _steal_time}  # noqa: RUF012


class PreemptedCache(PerFeature):
    """Steal time whose ``preempted`` is written to the address of the last update."""

    name = "preempted_cache"
    title = "preempted byte cached (5.16)"
    mitigations_known: ClassVar[dict[str, str]] = {"compare-address": "only if the register says so (V7)"}

    def on_entry(self, cpu: Vcpu) -> Program:
        """First the write of ``preempted``: the vCPU was scheduled out since its last entry."""
        value = yield Get(register(cpu.index, STEAL_TIME.msr))
        place = yield Get(cache(cpu.index))
        if value and place is not None:
            if "compare-address" not in self.mitigations or place == value & STEAL_TIME.address:  # V7
                yield Store(place + PREEMPTED, 1, U8)  # V6
            yield Set(cache(cpu.index), value & STEAL_TIME.address)
        elif value:
            yield Set(cache(cpu.index), value & STEAL_TIME.address)
        yield from super().on_entry(cpu)
