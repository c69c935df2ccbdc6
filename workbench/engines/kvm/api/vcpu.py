"""One virtual CPU: its mapped struct kvm_run, its registers, its MSRs, and KVM_RUN itself.

The rules kept here: general registers are passed through the mapped kvm_run where KVM_CAP_SYNC_REGS exists,
else by ioctl, and callers see no difference; the mapping is closed before the descriptor, because it
keeps the VM alive. This file starts no threads: the thread that calls :meth:`Vcpu.run` is the vCPU's thread.
Source: Documentation/virt/kvm/api.rst; layouts from <asm/kvm.h> and <linux/kvm.h>.
"""

import errno
import mmap
import os
import signal
import struct
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from workbench.engines.kvm.api import cpuid, exits
from workbench.engines.kvm.api.ioctl import (
    CAP_ENFORCE_PV_CPUID,
    CAP_SYNC_REGS,
    KVM_CREATE_VCPU,
    KVM_ENABLE_CAP_VCPU,
    KVM_GET_CPUID2,
    KVM_GET_MP_STATE,
    KVM_GET_MSRS,
    KVM_GET_REGS,
    KVM_GET_VCPU_MMAP_SIZE,
    KVM_KVMCLOCK_CTRL,
    KVM_RUN,
    KVM_SET_CPUID2,
    KVM_SET_MP_STATE,
    KVM_SET_MSRS,
    KVM_SET_REGS,
    KVM_SET_SIGNAL_MASK,
    Capability,
    Ioctl,
    KvmError,
    Pinned,
    attempt,
    call,
    check_extension,
    refusal,
)
from workbench.engines.kvm.api.stats import BinaryStats
from workbench.errors import EngineError

MP_RUNNABLE, MP_UNINITIALIZED, MP_INIT_RECEIVED, MP_HALTED, MP_SIPI_RECEIVED = 0, 1, 2, 3, 4

IMMEDIATE_EXIT, SYNC_VALID, SYNC_DIRTY, SYNC_REGS = 1, 288, 296, 304
_SYNC_X86_REGS = 1
_regs, _u64, _dirty_regs = struct.Struct("<18Q"), struct.Struct("<Q"), struct.Struct("<19Q")
#: Sizes of struct kvm_msrs without entries, and of an entry: an u32 and four bytes of padding, which are zero, each.
_MSRS_HEADER, _MSR = 8, 16
#: The longest list of MSRs for which a vCPU keeps memory.
_MSRS = 256
_run_number = KVM_RUN.number


class Regs(NamedTuple):
    """The general registers, in the order of struct kvm_regs."""

    rax: int = 0
    rbx: int = 0
    rcx: int = 0
    rdx: int = 0
    rsi: int = 0
    rdi: int = 0
    rsp: int = 0
    rbp: int = 0
    r8: int = 0
    r9: int = 0
    r10: int = 0
    r11: int = 0
    r12: int = 0
    r13: int = 0
    r14: int = 0
    r15: int = 0
    rip: int = 0
    rflags: int = 2


class Vcpu:
    """A vCPU, made by :meth:`Vm.create_vcpu`. Its ioctls are fastest from the thread that runs it."""

    def __init__(self, system_fd: int, vm_fd: int, number: int, *, has_lapic: bool) -> None:
        self.number, self.has_lapic = number, has_lapic
        self._msrs = Pinned(_MSRS_HEADER + _MSRS * _MSR)
        self._stats: BinaryStats | None = None
        self.sync_regs = bool(check_extension(system_fd, CAP_SYNC_REGS) & _SYNC_X86_REGS)
        size = call(system_fd, KVM_GET_VCPU_MMAP_SIZE)
        self.fd = call(vm_fd, KVM_CREATE_VCPU, number)
        self.kvm_run: mmap.mmap | bytearray
        try:
            self.kvm_run = mmap.mmap(self.fd, size, mmap.MAP_SHARED)
        except BaseException:
            os.close(self.fd)
            raise
        if self.sync_regs:
            _u64.pack_into(self.kvm_run, SYNC_VALID, _SYNC_X86_REGS)
        self.fetch_regs()

    def close(self) -> None:
        """Close mapping, statistics and descriptor; may be called twice."""
        if self.fd < 0:
            return
        # A dummy replaces the mapping: a late access then gets the closed descriptor's error, not a Python one.
        mapped, self.kvm_run = self.kvm_run, bytearray(len(self.kvm_run))
        if isinstance(mapped, mmap.mmap):
            mapped.close()
        if self._stats:
            self._stats.close()
        fd, self.fd = self.fd, -1
        os.close(fd)

    # -- running ---------------------------------------------------------------------------------------

    def run(self) -> exits.Exit:
        """Issue KVM_RUN once; return why it returned. Raises EngineError for exits this engine does not know."""
        result = attempt(self.fd, _run_number)
        if result < 0:
            if result == -errno.EINTR:
                return exits.Interrupted()
            if result == -errno.EAGAIN:
                raise EngineError(f"vCPU {self.number} cannot run: it waits for INIT and SIPI", "kvm")
            raise refusal(KVM_RUN, -result)
        return exits.decode(self.kvm_run)

    def answer_msr(self, *, error: bool, data: int = 0) -> None:
        """Answer a MsrExit before the next :meth:`run`: #GP if ``error``, else ``data`` for a RDMSR."""
        self.kvm_run[exits.MSR_ERROR] = error
        _u64.pack_into(self.kvm_run, exits.MSR_DATA, data)

    def answer_mmio(self, data: bytes) -> None:
        """Answer a MmioExit that is a read, before the next :meth:`run`."""
        self.kvm_run[exits.MMIO_DATA : exits.MMIO_DATA + len(data)] = data

    def answer_pio(self, data: bytes) -> None:
        """Answer an IoExit that is an IN, before the next :meth:`run`."""
        offset = exits.io_data_offset(self.kvm_run)
        self.kvm_run[offset : offset + len(data)] = data

    def finish_exit(self) -> None:
        """Complete the instruction of the last exit without running the guest further (api.rst, 5)."""
        self.kvm_run[IMMEDIATE_EXIT] = 1
        result = attempt(self.fd, _run_number)
        self.kvm_run[IMMEDIATE_EXIT] = 0
        if result < 0 and result != -errno.EINTR:
            raise refusal(KVM_RUN, -result)

    def set_signal_mask(self, blocked: Iterable[int]) -> None:
        """Set the signals blocked inside KVM_RUN, in place of the thread's own (KVM_SET_SIGNAL_MASK)."""
        bits = sum(1 << (number - 1) for number in blocked if number not in (signal.SIGKILL, signal.SIGSTOP))
        call(self.fd, KVM_SET_SIGNAL_MASK, bytearray(struct.pack("<IQ", 8, bits)))

    # -- registers -------------------------------------------------------------------------------------

    def set_regs(self, regs: tuple[int, ...]) -> None:
        """Set the general registers (:class:`Regs`); with SYNC_REGS they reach KVM at the next :meth:`run`."""
        if self.sync_regs:
            _dirty_regs.pack_into(self.kvm_run, SYNC_DIRTY, _SYNC_X86_REGS, *regs)
        else:
            _regs.pack_into(self.kvm_run, SYNC_REGS, *regs)
            call(self.fd, KVM_SET_REGS, bytearray(_regs.pack(*regs)))

    def regs(self) -> Regs:
        """Return the general registers, as last set or as the last :meth:`run` left them."""
        if not self.sync_regs:
            self.fetch_regs()
        return Regs._make(_regs.unpack_from(self.kvm_run, SYNC_REGS))

    def fetch_regs(self) -> None:
        """Read the registers from KVM by ioctl; needed when they were changed other than by :meth:`run`."""
        if self.sync_regs:
            _u64.pack_into(self.kvm_run, SYNC_DIRTY, 0)
        _regs.pack_into(self.kvm_run, SYNC_REGS, *_regs.unpack(self.get(KVM_GET_REGS)))

    def rax_rdx(self) -> tuple[int, int]:
        """Return rax and rdx after a run: the results of RDMSR and small loads."""
        if not self.sync_regs:
            self.fetch_regs()
        rax, _, _, rdx = struct.unpack_from("<4Q", self.kvm_run, SYNC_REGS)
        return rax, rdx

    # -- the other state, as KVM lays it out -----------------------------------------------------------

    def get(self, ioctl: Ioctl) -> bytearray:
        """Return the structure of a KVM_GET_* ioctl of fixed size (SREGS, LAPIC, XSAVE, EVENTS, ...)."""
        data = bytearray(ioctl.number >> 16 & 0x3FFF)
        call(self.fd, ioctl, data)
        return data

    def set(self, ioctl: Ioctl, data: bytes | bytearray) -> None:
        """Pass a structure to a KVM_SET_* ioctl of fixed size. Raises KvmError."""
        call(self.fd, ioctl, bytearray(data))

    def get_msrs(self, indices: Sequence[int]) -> list[int]:
        """Read MSRs as the host; the list returned ends before the first MSR that cannot be read."""
        listed = self._msr_list([(index, 0) for index in indices])
        done = call(self.fd, KVM_GET_MSRS, listed.address)
        return list(struct.unpack_from("<" + "8xQ" * done, listed.bytes, _MSRS_HEADER))

    def set_msrs(self, values: Mapping[int, int] | Sequence[tuple[int, int]]) -> int:
        """Write MSRs as the host, in order; return how many KVM accepted: it stops at the first it rejects."""
        pairs = list(values.items()) if isinstance(values, Mapping) else values
        return call(self.fd, KVM_SET_MSRS, self._msr_list(pairs).address)

    def _msr_list(self, pairs: Sequence[tuple[int, int]]) -> Pinned:
        count = len(pairs)
        listed = self._msrs if count <= _MSRS else Pinned(_MSRS_HEADER + count * _MSR)
        struct.pack_into("<Q" + "QQ" * count, listed.bytes, 0, count, *chain.from_iterable(pairs))
        return listed

    def set_cpuid(self, entries: Sequence[cpuid.CpuidEntry]) -> None:
        """KVM_SET_CPUID2. Fails with EINVAL after the first run if ``entries`` differ from those in force."""
        call(self.fd, KVM_SET_CPUID2, cpuid.pack(entries))

    def get_cpuid(self) -> tuple[cpuid.CpuidEntry, ...]:
        """Return the entries in force (KVM_GET_CPUID2)."""
        data = bytearray(struct.pack("<II", 256, 0) + bytes(256 * 40))
        call(self.fd, KVM_GET_CPUID2, data)
        return cpuid.unpack(data)

    def mp_state(self) -> int:
        """Return the multiprocessing state; KVM processes a pending INIT or SIPI before it answers."""
        return int.from_bytes(self.get(KVM_GET_MP_STATE), "little")

    def set_mp_state(self, state: int) -> None:
        """KVM_SET_MP_STATE."""
        self.set(KVM_SET_MP_STATE, struct.pack("<I", state))

    def kvmclock_ctrl(self) -> bool:
        """Tell the guest it was stopped (KVM_KVMCLOCK_CTRL); False if its kvmclock is not active."""
        try:
            call(self.fd, KVM_KVMCLOCK_CTRL)
        except KvmError as error:
            if error.errno != errno.EINVAL:
                raise
            return False
        return True

    def enable_cap(self, capability: Capability, argument: int) -> None:
        """KVM_ENABLE_CAP on the vCPU. Raises KvmError naming the capability."""
        request = struct.pack("<IIQ88x", capability.number, 0, argument)
        try:
            call(self.fd, KVM_ENABLE_CAP_VCPU, bytearray(request))
        except KvmError as error:
            raise refusal(KVM_ENABLE_CAP_VCPU, error.errno, capability) from None

    def enforce_pv_cpuid(self, on: bool = True) -> None:
        """Let CPUID leaf 0x40000001 decide which paravirtual MSRs exist."""
        self.enable_cap(CAP_ENFORCE_PV_CPUID, int(on))

    def stats(self) -> dict[str, int]:
        """Return the vCPU's statistics by name; their meaning depends on the vendor module."""
        if self.fd < 0:
            raise EngineError(f"vCPU {self.number} is closed", "kvm")
        if self._stats is None:
            self._stats = BinaryStats(self.fd)
        return self._stats.read()
