"""Reads KVM's own registers by KVM_GET_MSRS, as entries of a host; their values are never cached.

The rule kept here: the feature defines the bits of a register (``Feature.registers``); the protocol says whether a real
KVM serves it (``native``). An address in a register does not show that KVM's writes arrive there; see ``observe``.
"""

from collections.abc import Hashable, Iterable
from functools import partial
from typing import Any

from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, area, register
from workbench.core.kvm_registers import Register
from workbench.engines.kvm.guest.guest import Guest


def native_features(protocol: Protocol, features: Iterable[Feature]) -> dict[Feature, Register]:
    """Return those of ``features`` that KVM serves by a register of its own, with that register."""
    claimed = protocol.msrs - protocol.deflected
    return {
        feature: one
        for feature in features
        for one in feature.registers
        if one.msr == protocol.native.get(feature.name) and one.msr in claimed
    }


def held_by_kvm(guest: Guest, native: dict[Feature, Register]) -> dict[Hashable, Any]:
    """Return KVM's entries as a host: every native register, and the address that it holds."""
    found: dict[Hashable, Any] = {}
    if not native:
        return found
    known = set(guest.vm.msr_index_list())
    readable = {feature: one for feature, one in native.items() if one.msr in known}
    for cpu in range(guest.cpus):
        values = guest.call(cpu, partial(_read, guest, cpu, tuple(one.msr for one in readable.values())))
        for feature, one in readable.items():
            owner = VM if feature.scope == "vm" else cpu
            found[register(owner, one.msr)] = values[one.msr]
            gpa = one.address_in(values[one.msr])
            if gpa is not None:
                found[area(owner, feature.name)] = gpa
    return found


def _read(guest: Guest, cpu: int, msrs: tuple[int, ...]) -> dict[int, int]:
    return dict(zip(msrs, guest.vcpu(cpu).get_msrs(msrs), strict=True))
