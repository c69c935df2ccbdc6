"""The reasons why KVM_RUN returned, as a closed union of values; any other exit is an error, never ignored.

Numbers and layouts: <linux/kvm.h>, struct kvm_run; Documentation/virt/kvm/api.rst, section 5.
"""

import mmap
import struct
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

from workbench.errors import EngineError


class MsrReason(IntEnum):
    """Why an MSR access was given to user space (KVM_MSR_EXIT_REASON_*); also the bits of the mask."""

    INVAL = 1  #: KVM knows the register and rejects the value
    UNKNOWN = 2  #: KVM does not know the register
    FILTER = 4  #: the MSR filter denies it to KVM


@dataclass(frozen=True, slots=True)
class MsrExit:
    """A WRMSR (``write``, with ``data``) or RDMSR of ``index`` that KVM passes to user space."""

    write: bool
    reason: MsrReason
    index: int
    data: int


@dataclass(frozen=True, slots=True)
class IoExit:
    """An IN or OUT at ``port``; ``size`` bytes, ``count`` times; ``data`` is what an OUT sends."""

    write: bool
    port: int
    size: int
    count: int
    data: bytes


@dataclass(frozen=True, slots=True)
class MmioExit:
    """A load or store at a ``gpa`` that no memslot backs (or a store to a read-only one).

    ``data`` is what a store writes; for a load, it is as many zeros as bytes requested.
    """

    write: bool
    gpa: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Hlt:
    """The guest executed HLT; only seen without an in-kernel interrupt controller."""


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Triple fault."""


@dataclass(frozen=True, slots=True)
class Interrupted:
    """KVM_RUN returned on our request (a signal, or immediate_exit); the guest can continue."""


Exit = MsrExit | IoExit | MmioExit | Hlt | Shutdown | Interrupted

EXIT_IO, EXIT_HLT, EXIT_MMIO, EXIT_SHUTDOWN, EXIT_INTR = 2, 5, 6, 8, 10
EXIT_FAIL_ENTRY, EXIT_INTERNAL_ERROR = 9, 17
EXIT_RDMSR, EXIT_WRMSR = 29, 30

# Offsets inside struct kvm_run.
REASON, UNION = 8, 32
MSR_ERROR, MSR_DATA = 32, 48
MMIO_DATA = 40

_u32 = struct.Struct("<I")
_msr = struct.Struct("<B7xIIQ")
_io = struct.Struct("<BBHIQ")
_mmio = struct.Struct("<Q8sIB")


def decode(run: mmap.mmap | bytearray) -> Exit:
    """Return the exit that ``run`` (a mapped struct kvm_run) describes.

    Raises :class:`EngineError` for failed entries, internal errors of KVM, and unknown exit numbers.
    """
    (reason,) = _u32.unpack_from(run, REASON)
    if reason == EXIT_IO:
        return _decode_io(run)
    if reason in (EXIT_WRMSR, EXIT_RDMSR):
        _, why, index, data = _msr.unpack_from(run, UNION)
        return MsrExit(reason == EXIT_WRMSR, MsrReason(why), index, data)
    if reason == EXIT_MMIO:
        gpa, data, size, is_write = _mmio.unpack_from(run, UNION)
        return MmioExit(bool(is_write), gpa, data[:size] if is_write else bytes(size))
    if reason in _PLAIN:
        return _PLAIN[reason]
    raise EngineError(_describe(run, reason), "kvm")


_PLAIN: dict[int, Exit] = {EXIT_HLT: Hlt(), EXIT_SHUTDOWN: Shutdown(), EXIT_INTR: Interrupted()}


def _decode_io(run: mmap.mmap | bytearray) -> IoExit:
    direction, size, port, count, offset = _io.unpack_from(run, UNION)
    return _io_exit(bool(direction), port, size, count, bytes(run[offset : offset + size * count]))


@lru_cache  # every step of a guest ends with an OUT
def _io_exit(write: bool, port: int, size: int, count: int, data: bytes) -> IoExit:
    return IoExit(write, port, size, count, data)


def io_data_offset(run: mmap.mmap | bytearray) -> int:
    """Return where in ``run`` the data of its IoExit is."""
    offset: int = _io.unpack_from(run, UNION)[4]
    return offset


def _describe(run: mmap.mmap | bytearray, reason: int) -> str:
    if reason == EXIT_FAIL_ENTRY:
        (hardware,) = struct.unpack_from("<Q", run, UNION)
        return f"the guest could not be entered (hardware reason {hardware:#x})"
    if reason == EXIT_INTERNAL_ERROR:
        (suberror,) = _u32.unpack_from(run, UNION)
        return f"KVM reports an internal error (suberror {suberror}); the guest state is not runnable"
    return f"unknown exit number {reason}; this engine knows IO, MMIO, MSR, HLT, SHUTDOWN and INTR"
