"""The ioctls of /dev/kvm: their numbers, the descriptor that takes each, and the capability that each needs.

The rule kept here: a refusal by the kernel is raised as a :class:`KvmError` of one line that names the
ioctl, the errno and, where one exists, the capability (and the Linux version) that introduced the ioctl.
Numbers are computed as <asm-generic/ioctl.h> does; sizes and capabilities are those of <linux/kvm.h>
and Documentation/virt/kvm/api.rst.
"""

import ctypes
import errno
import os
from dataclasses import dataclass
from typing import Literal

from workbench.errors import EngineError

#: Where the kernel offers KVM. A module attribute so that a test can point it elsewhere.
DEVICE = "/dev/kvm"

KVMIO = 0xAE
_WRITE, _READ = 1, 2

Owner = Literal["system", "VM", "vCPU"]


class KvmError(EngineError):
    """KVM refused an ioctl; ``errno`` is kept for callers that handle a certain refusal."""

    def __init__(self, reason: str, number: int) -> None:
        super().__init__(reason, "kvm")
        self.errno = number


@dataclass(frozen=True, slots=True)
class Capability:
    """A number for KVM_CHECK_EXTENSION, and the first Linux that knows it."""

    name: str
    number: int
    since: str


@dataclass(frozen=True, slots=True)
class Ioctl:
    """One ioctl: its request number, the descriptor that takes it, and the capability that it needs."""

    name: str
    number: int
    owner: Owner
    capability: Capability | None = None


CAP_IRQCHIP = Capability("KVM_CAP_IRQCHIP", 0, "2.6.20")
CAP_USER_MEMORY = Capability("KVM_CAP_USER_MEMORY", 3, "2.6.25")
CAP_SET_TSS_ADDR = Capability("KVM_CAP_SET_TSS_ADDR", 4, "2.6.25")
CAP_EXT_CPUID = Capability("KVM_CAP_EXT_CPUID", 7, "2.6.26")
CAP_NR_VCPUS = Capability("KVM_CAP_NR_VCPUS", 9, "2.6.26")
CAP_NR_MEMSLOTS = Capability("KVM_CAP_NR_MEMSLOTS", 10, "2.6.26")
CAP_MP_STATE = Capability("KVM_CAP_MP_STATE", 14, "2.6.26")
CAP_SET_IDENTITY_MAP_ADDR = Capability("KVM_CAP_SET_IDENTITY_MAP_ADDR", 37, "2.6.32")
CAP_ADJUST_CLOCK = Capability("KVM_CAP_ADJUST_CLOCK", 39, "2.6.33")
CAP_VCPU_EVENTS = Capability("KVM_CAP_VCPU_EVENTS", 41, "2.6.33")
CAP_DEBUGREGS = Capability("KVM_CAP_DEBUGREGS", 50, "2.6.34")
CAP_XSAVE = Capability("KVM_CAP_XSAVE", 55, "2.6.36")
CAP_XCRS = Capability("KVM_CAP_XCRS", 56, "2.6.36")
CAP_ASYNC_PF = Capability("KVM_CAP_ASYNC_PF", 59, "2.6.38")
CAP_MAX_VCPUS = Capability("KVM_CAP_MAX_VCPUS", 66, "3.2")
CAP_SYNC_REGS = Capability("KVM_CAP_SYNC_REGS", 74, "4.17 on x86")
CAP_KVMCLOCK_CTRL = Capability("KVM_CAP_KVMCLOCK_CTRL", 76, "3.5")
CAP_SIGNAL_MSI = Capability("KVM_CAP_SIGNAL_MSI", 77, "3.5")
CAP_READONLY_MEM = Capability("KVM_CAP_READONLY_MEM", 81, "3.7")
CAP_ENABLE_CAP_VM = Capability("KVM_CAP_ENABLE_CAP_VM", 98, "3.14")
CAP_SPLIT_IRQCHIP = Capability("KVM_CAP_SPLIT_IRQCHIP", 121, "4.4")
CAP_IMMEDIATE_EXIT = Capability("KVM_CAP_IMMEDIATE_EXIT", 136, "4.13")
CAP_MANUAL_DIRTY_LOG = Capability("KVM_CAP_MANUAL_DIRTY_LOG_PROTECT2", 168, "5.2")
CAP_ASYNC_PF_INT = Capability("KVM_CAP_ASYNC_PF_INT", 183, "5.8")
CAP_USER_SPACE_MSR = Capability("KVM_CAP_X86_USER_SPACE_MSR", 188, "5.10")
CAP_MSR_FILTER = Capability("KVM_CAP_X86_MSR_FILTER", 189, "5.10")
CAP_ENFORCE_PV_CPUID = Capability("KVM_CAP_ENFORCE_PV_FEATURE_CPUID", 190, "5.10")
CAP_BINARY_STATS = Capability("KVM_CAP_BINARY_STATS_FD", 203, "5.14")

#: Every capability that this engine can use, in KVM's numbering order.
CAPABILITIES = tuple(
    sorted((it for it in list(globals().values()) if isinstance(it, Capability)), key=lambda it: it.number)
)


def _io(number: int) -> int:
    return KVMIO << 8 | number


def _iow(number: int, size: int) -> int:
    return _WRITE << 30 | size << 16 | _io(number)


def _ior(number: int, size: int) -> int:
    return _READ << 30 | size << 16 | _io(number)


def _iowr(number: int, size: int) -> int:
    return (_READ | _WRITE) << 30 | size << 16 | _io(number)


# -- on the descriptor of /dev/kvm itself -------------------------------------------------------------
KVM_GET_API_VERSION = Ioctl("KVM_GET_API_VERSION", _io(0x00), "system")
KVM_CREATE_VM = Ioctl("KVM_CREATE_VM", _io(0x01), "system")
KVM_GET_MSR_INDEX_LIST = Ioctl("KVM_GET_MSR_INDEX_LIST", _iowr(0x02, 4), "system")
KVM_CHECK_EXTENSION = Ioctl("KVM_CHECK_EXTENSION", _io(0x03), "system")
KVM_GET_VCPU_MMAP_SIZE = Ioctl("KVM_GET_VCPU_MMAP_SIZE", _io(0x04), "system")
KVM_GET_SUPPORTED_CPUID = Ioctl("KVM_GET_SUPPORTED_CPUID", _iowr(0x05, 8), "system", CAP_EXT_CPUID)

# -- on the descriptor of a VM ------------------------------------------------------------------------
KVM_CREATE_VCPU = Ioctl("KVM_CREATE_VCPU", _io(0x41), "VM")
KVM_GET_DIRTY_LOG = Ioctl("KVM_GET_DIRTY_LOG", _iow(0x42, 16), "VM")
KVM_SET_USER_MEMORY_REGION = Ioctl("KVM_SET_USER_MEMORY_REGION", _iow(0x46, 32), "VM", CAP_USER_MEMORY)
KVM_SET_TSS_ADDR = Ioctl("KVM_SET_TSS_ADDR", _io(0x47), "VM", CAP_SET_TSS_ADDR)
KVM_SET_IDENTITY_MAP_ADDR = Ioctl("KVM_SET_IDENTITY_MAP_ADDR", _iow(0x48, 8), "VM", CAP_SET_IDENTITY_MAP_ADDR)
KVM_SET_CLOCK = Ioctl("KVM_SET_CLOCK", _iow(0x7B, 48), "VM", CAP_ADJUST_CLOCK)
KVM_GET_CLOCK = Ioctl("KVM_GET_CLOCK", _ior(0x7C, 48), "VM", CAP_ADJUST_CLOCK)
KVM_ENABLE_CAP_VM = Ioctl("KVM_ENABLE_CAP", _iow(0xA3, 104), "VM", CAP_ENABLE_CAP_VM)
KVM_SIGNAL_MSI = Ioctl("KVM_SIGNAL_MSI", _iow(0xA5, 32), "VM", CAP_SIGNAL_MSI)
KVM_CLEAR_DIRTY_LOG = Ioctl("KVM_CLEAR_DIRTY_LOG", _iowr(0xC0, 24), "VM", CAP_MANUAL_DIRTY_LOG)
KVM_X86_SET_MSR_FILTER = Ioctl("KVM_X86_SET_MSR_FILTER", _iow(0xC6, 392), "VM", CAP_MSR_FILTER)

# -- on the descriptor of a vCPU ----------------------------------------------------------------------
KVM_RUN = Ioctl("KVM_RUN", _io(0x80), "vCPU")
KVM_GET_REGS = Ioctl("KVM_GET_REGS", _ior(0x81, 144), "vCPU")
KVM_SET_REGS = Ioctl("KVM_SET_REGS", _iow(0x82, 144), "vCPU")
KVM_GET_SREGS = Ioctl("KVM_GET_SREGS", _ior(0x83, 312), "vCPU")
KVM_SET_SREGS = Ioctl("KVM_SET_SREGS", _iow(0x84, 312), "vCPU")
KVM_GET_MSRS = Ioctl("KVM_GET_MSRS", _iowr(0x88, 8), "vCPU")
KVM_SET_MSRS = Ioctl("KVM_SET_MSRS", _iow(0x89, 8), "vCPU")
KVM_SET_SIGNAL_MASK = Ioctl("KVM_SET_SIGNAL_MASK", _iow(0x8B, 4), "vCPU")
KVM_GET_LAPIC = Ioctl("KVM_GET_LAPIC", _ior(0x8E, 1024), "vCPU", CAP_IRQCHIP)
KVM_SET_LAPIC = Ioctl("KVM_SET_LAPIC", _iow(0x8F, 1024), "vCPU", CAP_IRQCHIP)
KVM_SET_CPUID2 = Ioctl("KVM_SET_CPUID2", _iow(0x90, 8), "vCPU", CAP_EXT_CPUID)
KVM_GET_CPUID2 = Ioctl("KVM_GET_CPUID2", _iowr(0x91, 8), "vCPU", CAP_EXT_CPUID)
KVM_GET_MP_STATE = Ioctl("KVM_GET_MP_STATE", _ior(0x98, 4), "vCPU", CAP_MP_STATE)
KVM_SET_MP_STATE = Ioctl("KVM_SET_MP_STATE", _iow(0x99, 4), "vCPU", CAP_MP_STATE)
KVM_GET_VCPU_EVENTS = Ioctl("KVM_GET_VCPU_EVENTS", _ior(0x9F, 64), "vCPU", CAP_VCPU_EVENTS)
KVM_SET_VCPU_EVENTS = Ioctl("KVM_SET_VCPU_EVENTS", _iow(0xA0, 64), "vCPU", CAP_VCPU_EVENTS)
KVM_GET_DEBUGREGS = Ioctl("KVM_GET_DEBUGREGS", _ior(0xA1, 128), "vCPU", CAP_DEBUGREGS)
KVM_SET_DEBUGREGS = Ioctl("KVM_SET_DEBUGREGS", _iow(0xA2, 128), "vCPU", CAP_DEBUGREGS)
KVM_ENABLE_CAP_VCPU = Ioctl("KVM_ENABLE_CAP", _iow(0xA3, 104), "vCPU")
KVM_GET_XSAVE = Ioctl("KVM_GET_XSAVE", _ior(0xA4, 4096), "vCPU", CAP_XSAVE)
KVM_SET_XSAVE = Ioctl("KVM_SET_XSAVE", _iow(0xA5, 4096), "vCPU", CAP_XSAVE)
KVM_GET_XCRS = Ioctl("KVM_GET_XCRS", _ior(0xA6, 392), "vCPU", CAP_XCRS)
KVM_SET_XCRS = Ioctl("KVM_SET_XCRS", _iow(0xA7, 392), "vCPU", CAP_XCRS)
KVM_KVMCLOCK_CTRL = Ioctl("KVM_KVMCLOCK_CTRL", _io(0xAD), "vCPU", CAP_KVMCLOCK_CTRL)

# -- on the descriptor of a VM or of a vCPU -----------------------------------------------------------
KVM_GET_STATS_FD = Ioctl("KVM_GET_STATS_FD", _io(0xCE), "vCPU", CAP_BINARY_STATS)

_libc = ctypes.CDLL(None, use_errno=True)
_ioctl = _libc.ioctl
_ioctl.argtypes = (ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p)
_ioctl.restype = ctypes.c_int


def attempt(fd: int, request: int, argument: int = 0) -> int:
    """Issue one ioctl without the GIL held; return its result, or -errno. For the run loop: no buffers."""
    result: int = _ioctl(fd, request, argument)
    return result if result >= 0 else -ctypes.get_errno()


class Pinned:
    """Zeroed bytes that stay at one ``address``: a structure that many ioctls use, one after the other."""

    def __init__(self, size: int) -> None:
        self.bytes = bytearray(size)
        self._pin = (ctypes.c_char * size).from_buffer(self.bytes)
        self.address = ctypes.addressof(self._pin)


def call(fd: int, ioctl: Ioctl, argument: int | bytearray = 0) -> int:
    """Issue one ioctl and return its (non-negative) result.

    ``argument`` is an integer, an address, or the structure's bytes, which the kernel reads and writes in place.
    Raises :class:`KvmError` with the ioctl's name, the errno's name, and the capability that it needs.
    """
    if isinstance(argument, bytearray):
        # The view must live until the ioctl returns: an address alone would not keep the bytes in place.
        view = (ctypes.c_char * len(argument)).from_buffer(argument)
        result = attempt(fd, ioctl.number, ctypes.addressof(view))
        del view
    else:
        result = attempt(fd, ioctl.number, argument)
    if result < 0:
        raise refusal(ioctl, -result)
    return result


def refusal(ioctl: Ioctl, number: int, capability: Capability | None = None) -> KvmError:
    """Return the one-line error for an ``ioctl`` that failed with errno ``number``."""
    code = errno.errorcode.get(number, str(number))
    needed = capability or ioctl.capability
    if number == errno.EBADF:
        why = f" (the {ioctl.owner} descriptor is closed)"
    elif needed and number in (errno.EINVAL, errno.ENOTTY, errno.EOPNOTSUPP):
        why = f" (needs {needed.name}, Linux {needed.since})"
    else:
        why = f": {os.strerror(number)}"
    return KvmError(f"{ioctl.name} failed: {code}{why}", number)


def open_device() -> int:
    """Open /dev/kvm read-write and return the descriptor. Raises :class:`EngineError` with advice."""
    try:
        return os.open(DEVICE, os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        reason, advice = explain_open(error)
        raise EngineError(f"{reason}; {advice}", "kvm") from None


def explain_open(error: OSError) -> tuple[str, str]:
    """Return why the device could not be opened and what to do about it, one line each."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        advice = "load kvm_intel or kvm_amd, enable virtualization in firmware, or pass the device in"
        return f"{DEVICE} does not exist", advice
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"no permission to open {DEVICE}", "join the group that owns it (usermod -aG kvm $USER)"
    if error.errno in (errno.ENODEV, errno.ENXIO):
        return f"{DEVICE} has no driver behind it", "load kvm_intel or kvm_amd (modprobe)"
    code = errno.errorcode.get(error.errno or 0, str(error.errno))
    return f"{DEVICE} cannot be opened: {code} ({error.strerror})", "look for KVM messages in the kernel log"


def check_extension(fd: int, capability: Capability) -> int:
    """Return KVM_CHECK_EXTENSION of ``capability`` on a system or VM descriptor; 0 means absent."""
    return call(fd, KVM_CHECK_EXTENSION, capability.number)
