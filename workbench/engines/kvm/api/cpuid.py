"""CPUID entries: what KVM can offer a guest, and what this engine offers.

Leaf 0x40000001 EAX holds KVM's paravirtual feature bits (Documentation/virt/kvm/x86/cpuid.rst).
"""

import errno
import struct
from collections.abc import Sequence
from typing import NamedTuple

from workbench.engines.kvm.api.ioctl import KVM_GET_SUPPORTED_CPUID, KvmError, call

KVM_CPUID_FEATURES = 0x40000001
_header, _entry = struct.Struct("<II"), struct.Struct("<7I12x")


class CpuidEntry(NamedTuple):
    """One row of KVM_SET_CPUID2."""

    leaf: int
    subleaf: int
    flags: int
    eax: int
    ebx: int
    ecx: int
    edx: int


def pack(entries: Sequence[CpuidEntry]) -> bytearray:
    """Return ``entries`` as a struct kvm_cpuid2."""
    return bytearray(_header.pack(len(entries), 0) + b"".join(_entry.pack(*entry) for entry in entries))


def unpack(data: bytes | bytearray) -> tuple[CpuidEntry, ...]:
    """Return the entries of a struct kvm_cpuid2."""
    count, _ = _header.unpack_from(data)
    rows = (_entry.unpack_from(data, _header.size + n * _entry.size) for n in range(count))
    return tuple(CpuidEntry(*row) for row in rows)


def supported(system_fd: int) -> tuple[CpuidEntry, ...]:
    """Return everything this KVM can offer a guest (KVM_GET_SUPPORTED_CPUID)."""
    room = 128
    while True:
        data = bytearray(_header.pack(room, 0) + bytes(room * _entry.size))
        try:
            call(system_fd, KVM_GET_SUPPORTED_CPUID, data)
        except KvmError as error:
            if error.errno != errno.E2BIG or room > 4096:
                raise
            room *= 2
        else:
            return unpack(data)


def pv_features(entries: Sequence[CpuidEntry]) -> int:
    """Return the paravirtual feature bits of ``entries``; 0 if the leaf is absent."""
    return next((entry.eax for entry in entries if entry.leaf == KVM_CPUID_FEATURES), 0)


def with_pv_features(entries: Sequence[CpuidEntry], bits: int) -> tuple[CpuidEntry, ...]:
    """Return ``entries`` offering exactly the paravirtual feature ``bits`` (leaf 0x40000001 EAX)."""
    return tuple(e._replace(eax=bits) if e.leaf == KVM_CPUID_FEATURES else e for e in entries)


def for_vcpu(entries: Sequence[CpuidEntry], cpu: int) -> tuple[CpuidEntry, ...]:
    """Return ``entries`` with vCPU ``cpu``'s own APIC id in leaves 1 and 0xb, as a VMM must set it."""
    return tuple(_own_id(entry, cpu) for entry in entries)


def _own_id(entry: CpuidEntry, cpu: int) -> CpuidEntry:
    if entry.leaf == 1:
        return entry._replace(ebx=entry.ebx & 0x00FFFFFF | (cpu & 0xFF) << 24)
    if entry.leaf == 0xB:
        return entry._replace(edx=cpu)
    return entry
