"""One virtual machine under /dev/kvm: memory, interrupt controller, clock, MSR filter, vCPUs.

The rule kept here: a Vm closes everything that it opened, vCPUs before the VM, the VM before its memory,
also when opening fails half-way. A Vm has no threads; see ``threads`` and ``stubs``.
Source: Documentation/virt/kvm/api.rst.
"""

import ctypes
import os
import struct
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from workbench.core.msr_filter import NO_FILTER, MsrFilter
from workbench.engines.kvm.api import cpuid
from workbench.engines.kvm.api.exits import MsrReason
from workbench.engines.kvm.api.ioctl import (
    CAP_MANUAL_DIRTY_LOG,
    CAP_SPLIT_IRQCHIP,
    CAP_USER_SPACE_MSR,
    KVM_CREATE_VM,
    KVM_ENABLE_CAP_VM,
    KVM_GET_CLOCK,
    KVM_GET_MSR_INDEX_LIST,
    KVM_SET_CLOCK,
    KVM_SET_IDENTITY_MAP_ADDR,
    KVM_SET_TSS_ADDR,
    KVM_SIGNAL_MSI,
    KVM_X86_SET_MSR_FILTER,
    Capability,
    KvmError,
    call,
    check_extension,
    open_device,
    refusal,
)
from workbench.engines.kvm.api.memory import GuestMemory
from workbench.engines.kvm.api.stats import BinaryStats
from workbench.engines.kvm.api.vcpu import Vcpu

#: Where Intel's KVM keeps its real-mode TSS and identity map; below the BIOS, as QEMU places them.
IDENTITY_MAP, TSS = 0xFEFFC000, 0xFEFFD000
APIC_BASE = 0xFEE00000
DELIVER_INIT, DELIVER_SIPI = 0x500, 0x600

_IOAPIC_PINS = 24
_FILTER_READ, _FILTER_WRITE, _FILTER_DEFAULT_DENY = 1, 2, 1
_clock = struct.Struct("<QI4xQQ16x")
_CLOCK_REALTIME = 4


@dataclass(frozen=True, slots=True)
class Clock:
    """The result of KVM_GET_CLOCK: nanoseconds of the VM's clock, and the same moment on the host."""

    clock: int  #: ns since the VM's clock started
    flags: int
    realtime: int  #: CLOCK_REALTIME in ns at that moment; valid if flags & 4
    host_tsc: int  #: the host's TSC at that moment; valid if flags & 8

    @property
    def tells_realtime(self) -> bool:
        """Whether ``realtime`` is valid: KVM knows it only while it uses the master clock."""
        return bool(self.flags & _CLOCK_REALTIME)


class Vm:
    """A virtual machine without threads. A context manager; :meth:`close` may be called twice."""

    def __init__(self, *, manual_dirty_log: bool = False) -> None:
        """Create the VM: no memory, no interrupt controller and no vCPU yet."""
        self.fd = -1
        self.vcpus: dict[int, Vcpu] = {}
        self.has_lapics = False
        self._stats: BinaryStats | None = None
        self._filtering = False
        self.system_fd = open_device()
        try:
            self.fd = call(self.system_fd, KVM_CREATE_VM)
            self.memory = GuestMemory(self.fd, manual_clear=manual_dirty_log)
            self._set_up(manual_dirty_log)
        except BaseException:
            self.close()
            raise

    def _set_up(self, manual_dirty_log: bool) -> None:
        call(self.fd, KVM_SET_IDENTITY_MAP_ADDR, bytearray(struct.pack("<Q", IDENTITY_MAP)))
        call(self.fd, KVM_SET_TSS_ADDR, TSS)
        if manual_dirty_log:
            self.enable_cap(CAP_MANUAL_DIRTY_LOG, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close vCPUs, statistics, the VM and its memory, in this order."""
        while self.vcpus:
            self.vcpus.popitem()[1].close()
        if self._stats:
            self._stats.close()
            self._stats = None
        for name in ("fd", "system_fd"):
            if (fd := getattr(self, name)) >= 0:
                setattr(self, name, -1)
                os.close(fd)
        if hasattr(self, "memory"):
            self.memory.close()

    # -- capabilities, statistics ----------------------------------------------------------------------

    def has(self, capability: Capability) -> int:
        """Return KVM_CHECK_EXTENSION of ``capability`` for this VM; 0 means absent."""
        return check_extension(self.fd, capability)

    def enable_cap(self, capability: Capability, argument: int) -> None:
        """KVM_ENABLE_CAP on the VM. Raises KvmError naming the capability."""
        request = struct.pack("<IIQ88x", capability.number, 0, argument)
        try:
            call(self.fd, KVM_ENABLE_CAP_VM, bytearray(request))
        except KvmError as error:
            raise refusal(KVM_ENABLE_CAP_VM, error.errno, capability) from None

    def stats(self) -> dict[str, int]:
        """Return the VM's statistics by name."""
        if self._stats is None:
            self._stats = BinaryStats(self.fd)
        return self._stats.read()

    def msr_index_list(self) -> tuple[int, ...]:
        """Return the MSRs that KVM saves and restores (KVM_GET_MSR_INDEX_LIST), in KVM's order."""
        probe = bytearray(4)
        with suppress(KvmError):
            call(self.system_fd, KVM_GET_MSR_INDEX_LIST, probe)  # fails with E2BIG, but returns the number
        (count,) = struct.unpack("<I", probe)
        data = bytearray(struct.pack("<I", count) + bytes(4 * count))
        call(self.system_fd, KVM_GET_MSR_INDEX_LIST, data)
        return struct.unpack_from(f"<{count}I", data, 4)

    def supported_cpuid(self) -> tuple[cpuid.CpuidEntry, ...]:
        """Return what this KVM can offer a guest."""
        return cpuid.supported(self.system_fd)

    def create_lapics(self) -> None:
        """Let KVM emulate each vCPU's LAPIC (async page faults need it); before the first vCPU.

        The split interrupt controller: user space would emulate IOAPIC and PIC, which nothing here uses. A full
        in-kernel one (KVM_CREATE_IRQCHIP) costs each VM some 10 ms of waiting (SRCU).
        """
        self.enable_cap(CAP_SPLIT_IRQCHIP, _IOAPIC_PINS)
        self.has_lapics = True

    def create_vcpu(self, number: int) -> Vcpu:
        """Create vCPU ``number``. Raises KvmError (EEXIST: the number was used, even if closed since)."""
        vcpu = Vcpu(self.system_fd, self.fd, number, has_lapic=self.has_lapics)
        self.vcpus[number] = vcpu
        return vcpu

    # -- MSRs for user space ---------------------------------------------------------------------------

    def deflect(
        self, indices: Iterable[int], *, read: bool = True, write: bool = True, mask: int = MsrReason.FILTER
    ) -> None:
        """Pass the guest's accesses to these MSRs to user space (:class:`MsrExit`); no MSRs clear the filter.

        ``mask`` adds reasons: with INVAL and UNKNOWN (7 in all) refusals by KVM exit as well, instead of
        raising #GP. Only guest accesses are deflected; KVM_SET_MSRS and KVM_GET_MSRS reach KVM.
        """
        wanted = MsrFilter(listed=frozenset(indices))
        if wanted.listed or self._filtering:
            self.enable_cap(CAP_USER_SPACE_MSR, mask)
        self.filter_msrs(wanted, (_FILTER_READ if read else 0) | (_FILTER_WRITE if write else 0))

    def filter_msrs(self, wanted: MsrFilter, flags: int = _FILTER_READ | _FILTER_WRITE) -> None:
        """KVM_X86_SET_MSR_FILTER. A denied access exits if user space asked for it, else it is #GP."""
        packed, keep = _filter(wanted, flags)
        call(self.fd, KVM_X86_SET_MSR_FILTER, packed)
        del keep  # the bitmaps: KVM has copied them
        self._filtering = wanted != NO_FILTER

    # -- clock, interrupts -----------------------------------------------------------------------------

    def get_clock(self) -> Clock:
        """KVM_GET_CLOCK."""
        data = bytearray(_clock.size)
        call(self.fd, KVM_GET_CLOCK, data)
        return Clock(*_clock.unpack(data))

    def set_clock(self, clock: int, *, realtime: int | None = None) -> None:
        """KVM_SET_CLOCK to ``clock`` ns; with ``realtime`` KVM adds the time elapsed since that moment."""
        flags = 0 if realtime is None else _CLOCK_REALTIME
        call(self.fd, KVM_SET_CLOCK, bytearray(_clock.pack(clock, flags, realtime or 0, 0)))

    def signal_msi(self, destination: int, data: int) -> int:
        """KVM_SIGNAL_MSI to APIC id ``destination``; return 1 if delivered, 0 if the guest blocks it."""
        address = APIC_BASE | (destination & 0xFF) << 12
        return call(self.fd, KVM_SIGNAL_MSI, bytearray(struct.pack("<IIII16x", address, 0, data, 0)))


def _filter(wanted: MsrFilter, flags: int) -> tuple[bytearray, list[ctypes.Array[ctypes.c_char]]]:
    """Pack a struct kvm_msr_filter; also return the bitmaps it points to."""
    ranges = wanted.ranges()
    if not wanted.denying and not ranges:
        ranges = ((0,),)  # KVM refuses to deny everything without a range (kvm_vm_ioctl_set_msr_filter)
    packed, keep = bytearray(392), []
    struct.pack_into("<I", packed, 0, 0 if wanted.denying else _FILTER_DEFAULT_DENY)
    for number, group in enumerate(ranges):
        base, count = group[0], group[-1] - group[0] + 1
        bits = sum(1 << (index - base) for index in group if index in wanted.listed)  # 1: allow
        size = (count + 7) // 8
        bitmap = bytearray((~bits & (1 << 8 * size) - 1 if wanted.denying else bits).to_bytes(size, "little"))
        view = (ctypes.c_char * size).from_buffer(bitmap)
        keep.append(view)
        struct.pack_into("<IIIIQ", packed, 8 + 24 * number, flags, count, base, 0, ctypes.addressof(view))
    return packed, keep
