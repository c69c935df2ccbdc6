"""Reads KVM's own registers by KVM_GET_MSRS, as entries of a host; their values are never cached.

The rules kept here: the feature defines the bits of a register (``Feature.registers``); the protocol says whether a
real KVM serves it (``native``). An address in a register does not show that KVM's writes arrive there; see ``observe``.
Three registers hold values that KVM does not act on: ASYNC_PF_EN is set before kvm_gfn_to_hva_cache_init looks at the
address (``Register.keeps_refused``; Linux 6.12 arch/x86/kvm/x86.c, kvm_pv_enable_async_pf); PV_EOI_EN keeps the value
before a refused one, and KVM does not act on it until the memslots change (``core.address_cache``); and SYSTEM_TIME
with an area that crosses a page leaves the mapping as it was (``Feature.one_mapping``; virt/kvm/pfncache.c). Which
address an ASYNC_PF_EN that was refused has after a change of the memslots, no register tells: none is reported.
"""

from collections.abc import Hashable, Iterable, Mapping
from functools import partial
from typing import Any

from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, area, register
from workbench.core.kvm_registers import Register
from workbench.core.memory import PAGE_SIZE
from workbench.core.vcpu import Vcpu
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


def held_by_kvm(
    guest: Guest,
    native: dict[Feature, Register],
    records: Mapping[int, Vcpu],
    refused: Mapping[tuple[int, int], int | None],
    before: Mapping[Hashable, Any],
) -> dict[Hashable, Any]:
    """Return KVM's entries as a host: every native register whose value is not its first, and the area that it names.

    ``records``: of the vCPUs; a register that CPUID hides has no value (the host reads 0). ``refused``: by vCPU and
    register, the value that its last write was refused, or None. ``before``: the entries when they were last read.
    """
    found: dict[Hashable, Any] = {}
    if not native:
        return found
    known = set(guest.vm.msr_index_list())
    for cpu, record in records.items():
        readable = {
            feature: one
            for feature, one in native.items()
            if one.msr in known and record.host.knows_protocol and record.may_use(one.cpuid_bit)
        }
        values = guest.call(cpu, partial(_read, guest, cpu, tuple(one.msr for one in readable.values())))
        for feature, one in readable.items():
            owner, value = VM if feature.scope == "vm" else cpu, values[one.msr]
            if value != one.initial:
                found[register(owner, one.msr)] = value
            served = area(owner, feature.name)
            gpa = one.address_in(value)
            if gpa is not None and feature.one_mapping and gpa % PAGE_SIZE + one.touches > PAGE_SIZE:
                gpa = before.get(served)
            spoilt_by = refused.get((cpu, one.msr)) if one.in_cache else None
            if gpa is not None and (spoilt_by is None or not one.is_allowed(spoilt_by)):
                found[served] = gpa
    return found


def _read(guest: Guest, cpu: int, msrs: tuple[int, ...]) -> dict[int, int]:
    return dict(zip(msrs, guest.vcpu(cpu).get_msrs(msrs), strict=True))
