"""What KVM's own registers hold, as entries of a host: read by KVM_GET_MSRS, never remembered by us.

The rule kept here: the meaning of a register's bits is the ABI's (Linux Documentation/virt/kvm/x86/msr.rst), which
feature a register belongs to is the protocol's (``native``). That KVM *holds* an address says nothing about whether
its writes arrive there; see ``examination``.
"""

from collections.abc import Hashable, Iterable
from functools import partial
from typing import Any, NamedTuple

from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, area, register
from workbench.engines.kvm.guest.guest import Guest


class Meaning(NamedTuple):
    """Which bits of a register are the address, and which must be set for the host to use it."""

    address: int
    enabled: int


_ALL = (1 << 64) - 1
_MEANINGS = {
    0x4B564D00: Meaning(_ALL, 0),  # WALL_CLOCK_NEW: no enable bit
    0x4B564D01: Meaning(_ALL & ~1, 1),  # SYSTEM_TIME_NEW
    0x4B564D02: Meaning(_ALL & ~0x3F, 1 | 1 << 3),  # ASYNC_PF_EN: enabled, and by interrupt
    0x4B564D03: Meaning(_ALL & ~0x3F, 1),  # STEAL_TIME
    0x4B564D04: Meaning(_ALL & ~1, 1),  # PV_EOI_EN
}


def address_in(msr: int, value: int) -> int | None:
    """Return the gpa that ``value`` of ``msr`` lets the host use; None if it holds none."""
    meaning = _MEANINGS.get(msr)
    if meaning is None or not value or value & meaning.enabled != meaning.enabled:
        return None
    return value & meaning.address


def native_features(protocol: Protocol, features: Iterable[Feature]) -> dict[Feature, int]:
    """Return those of ``features`` that a register of KVM's own serves, with that register."""
    claimed = protocol.msrs - protocol.deflected
    served = {name: msr for name, msr in protocol.native.items() if msr in claimed}
    return {feature: served[feature.name] for feature in features if feature.name in served}


def held_by_kvm(guest: Guest, native: dict[Feature, int]) -> dict[Hashable, Any]:
    """Return the entries of the host that KVM is: every native register, and the address that it holds."""
    found: dict[Hashable, Any] = {}
    if not native:
        return found
    known = set(guest.vm.msr_index_list())
    readable = {feature: msr for feature, msr in native.items() if msr in known}
    for cpu in range(guest.cpus):
        values = guest.call(cpu, partial(_read, guest, cpu, tuple(readable.values())))
        for feature, msr in readable.items():
            owner = VM if feature.scope == "vm" else cpu
            found[register(owner, msr)] = values[msr]
            gpa = address_in(msr, values[msr])
            if gpa is not None:
                found[area(owner, feature.name)] = gpa
    return found


def _read(guest: Guest, cpu: int, msrs: tuple[int, ...]) -> dict[int, int]:
    return dict(zip(msrs, guest.vcpu(cpu).get_msrs(msrs), strict=True))
