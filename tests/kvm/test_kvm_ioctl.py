"""Numbers as a C compiler computes them from <linux/kvm.h>, and refusals as one clear line."""

import errno
import os
import struct

import pytest

from workbench.engines.kvm.api import exits, ioctl
from workbench.engines.kvm.guest import longmode, stubs
from workbench.errors import EngineError

# Printed by a C program that includes <linux/kvm.h> of Linux 6.1.
FROM_C = {
    "KVM_CREATE_VM": 0xAE01,
    "KVM_GET_MSR_INDEX_LIST": 0xC004AE02,
    "KVM_GET_VCPU_MMAP_SIZE": 0xAE04,
    "KVM_GET_SUPPORTED_CPUID": 0xC008AE05,
    "KVM_CREATE_VCPU": 0xAE41,
    "KVM_GET_DIRTY_LOG": 0x4010AE42,
    "KVM_SET_USER_MEMORY_REGION": 0x4020AE46,
    "KVM_SET_TSS_ADDR": 0xAE47,
    "KVM_SET_IDENTITY_MAP_ADDR": 0x4008AE48,
    "KVM_SET_CLOCK": 0x4030AE7B,
    "KVM_GET_CLOCK": 0x8030AE7C,
    "KVM_RUN": 0xAE80,
    "KVM_GET_REGS": 0x8090AE81,
    "KVM_SET_REGS": 0x4090AE82,
    "KVM_GET_SREGS": 0x8138AE83,
    "KVM_SET_SREGS": 0x4138AE84,
    "KVM_GET_MSRS": 0xC008AE88,
    "KVM_SET_MSRS": 0x4008AE89,
    "KVM_SET_SIGNAL_MASK": 0x4004AE8B,
    "KVM_GET_LAPIC": 0x8400AE8E,
    "KVM_SET_LAPIC": 0x4400AE8F,
    "KVM_SET_CPUID2": 0x4008AE90,
    "KVM_GET_CPUID2": 0xC008AE91,
    "KVM_GET_MP_STATE": 0x8004AE98,
    "KVM_SET_MP_STATE": 0x4004AE99,
    "KVM_GET_VCPU_EVENTS": 0x8040AE9F,
    "KVM_SET_VCPU_EVENTS": 0x4040AEA0,
    "KVM_GET_DEBUGREGS": 0x8080AEA1,
    "KVM_SET_DEBUGREGS": 0x4080AEA2,
    "KVM_ENABLE_CAP_VM": 0x4068AEA3,
    "KVM_ENABLE_CAP_VCPU": 0x4068AEA3,
    "KVM_GET_XSAVE": 0x9000AEA4,
    "KVM_SET_XSAVE": 0x5000AEA5,
    "KVM_SIGNAL_MSI": 0x4020AEA5,
    "KVM_GET_XCRS": 0x8188AEA6,
    "KVM_SET_XCRS": 0x4188AEA7,
    "KVM_KVMCLOCK_CTRL": 0xAEAD,
    "KVM_CLEAR_DIRTY_LOG": 0xC018AEC0,
    "KVM_X86_SET_MSR_FILTER": 0x4188AEC6,
    "KVM_GET_STATS_FD": 0xAECE,
}


@pytest.mark.parametrize("name", FROM_C)
def test_number_is_that_of_the_c_header(name):
    assert getattr(ioctl, name).number == FROM_C[name]


def test_every_ioctl_on_a_closed_descriptor_says_whose_it_is():
    for value in vars(ioctl).values():
        if isinstance(value, ioctl.Ioctl):
            with pytest.raises(
                ioctl.KvmError, match=f"^kvm: {value.name} failed: EBADF .*{value.owner} descriptor is closed"
            ):
                ioctl.call(-1, value)


def test_refusal_names_the_capability_and_its_linux():
    error = ioctl.refusal(ioctl.KVM_X86_SET_MSR_FILTER, errno.EINVAL)
    assert str(error) == ("kvm: KVM_X86_SET_MSR_FILTER failed: EINVAL (needs KVM_CAP_X86_MSR_FILTER, Linux 5.10)")
    assert error.errno == errno.EINVAL


def test_ioctl_on_another_device_is_refused_in_one_line():
    fd = os.open("/dev/null", os.O_RDWR)
    try:
        with pytest.raises(EngineError, match=r"^kvm: KVM_CREATE_VM failed: ENOTTY"):
            ioctl.call(fd, ioctl.KVM_CREATE_VM)
    finally:
        os.close(fd)


def run_area(reason: int, union: bytes) -> bytearray:
    area = bytearray(4096)
    struct.pack_into("<I", area, 8, reason)
    area[32 : 32 + len(union)] = union
    return area


@pytest.mark.parametrize("number", [0, 1, 3, 4, 7, 11, 16, 24, 37, 1000])
def test_exit_nobody_understands_is_an_error_with_its_number(number):
    with pytest.raises(EngineError, match=f"unknown exit number {number};"):
        exits.decode(run_area(number, b""))


def test_failed_entry_and_internal_error_are_errors():
    with pytest.raises(EngineError, match=r"could not be entered.*0x80000021"):
        exits.decode(run_area(9, struct.pack("<Q", 0x80000021)))
    with pytest.raises(EngineError, match=r"internal error .suberror 1."):
        exits.decode(run_area(17, struct.pack("<I", 1)))


def test_exits_are_values():
    msr = run_area(30, struct.pack("<B7xIIQ", 0, 4, 0x4B564D03, 0x1000))
    assert exits.decode(msr) == exits.MsrExit(True, exits.MsrReason.FILTER, 0x4B564D03, 0x1000)
    mmio = run_area(6, struct.pack("<Q8sIB", 0xFE000000, b"abcdefgh", 2, 1))
    assert exits.decode(mmio) == exits.MmioExit(True, 0xFE000000, b"ab")
    assert exits.decode(run_area(8, b"")) == exits.Shutdown()


def test_stub_code_fits_its_page_and_every_vcpu_has_its_own_pages():
    assert len(stubs.CODE) <= 4096
    gpas = [at(cpu) for cpu in range(longmode.MAX_CPUS) for at in (longmode.private, longmode.bounce)]
    assert len(set(gpas)) == len(gpas)
    assert max(gpas) + longmode.BOUNCE_BYTES <= longmode.STUB_GPA + longmode.slot_size(longmode.MAX_CPUS)
    assert longmode.STUB_GPA + longmode.slot_size(longmode.MAX_CPUS) <= longmode.REACH
