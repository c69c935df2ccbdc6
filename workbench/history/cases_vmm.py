"""The cases from the trackers of VMMs and guests, and the bugs of hosts that a VMM or a clock of the VM brings out."""

from workbench.features import FEATURES, OTHERS
from workbench.history.broken.arm_pvtime import SummedByHost
from workbench.history.broken.clock_of_vm import TscPageOfVm, UpdatedTsc, VmClock
from workbench.history.broken.kept_clock import KeptClock
from workbench.history.broken.no_lapic import ZeroRefused
from workbench.history.broken.vmm_lists import FewRegisters, RangeWithoutInterrupt, StopsShort
from workbench.history.case import READ, SECONDARY, Case, Design
from workbench.history.events.time_of_day import SettableWallClock, TimeOfDaySet
from workbench.history.events.vmm import (
    ClockRestored,
    SecondVcpuFirst,
    StartWithoutLapic,
    StoppedInFirmware,
    ToldBeforeSnapshot,
)
from workbench.lifecycle import EVENTS
from workbench.lifecycle.under_vmm import on_qemu
from workbench.protocols.per_feature import PerFeature
from workbench.protocols.pvtime import PvTime

CLOCK, STEAL, ASYNC = ((FEATURES[name],) for name in ("kvmclock", "steal_time", "async_pf"))

VMM_CASES = (
    Case(
        "firecracker-list",
        ("V1",),
        "Firecracker: the list of registers to save lacks POLL_CONTROL and ASYNC_PF_INT",
        "Firecracker pull requests 3064 (2022) and 5738 (2026)",
        READ,
        Design(RangeWithoutInterrupt, EVENTS["migrate"], ASYNC),
        ("F09",),
        Design(RangeWithoutInterrupt, EVENTS["migrate"], ASYNC, fixes=("whole-range",)),
        "pull request 3064: both are saved; 5738: the whole range 0x4b564d00 to 0x4b564dff",
    ),
    Case(
        "cloud-hypervisor-short-read",
        ("V2",),
        "cloud-hypervisor: KVM_GET_MSRS stops at a register, and those after it are not saved",
        "cloud-hypervisor pull request 1543 (2020)",
        READ,
        Design(StopsShort, EVENTS["migrate"], STEAL),
        ("F02",),
        Design(StopsShort, EVENTS["migrate"], STEAL, fixes=("skip-and-go-on",)),
        "pull request 1543: the number is compared, the register at fault left out, the rest read",
    ),
    Case(
        "cloud-hypervisor-boot-list",
        ("V3",),
        "cloud-hypervisor: a snapshot holds the registers set at boot, and none of KVM's own",
        "cloud-hypervisor pull request 1396 (2020)",
        READ,
        Design(FewRegisters, EVENTS["migrate"], CLOCK),
        ("F02",),
        Design(FewRegisters, EVENTS["migrate"], CLOCK, fixes=("all-supported",)),
        "pull request 1396: all registers that KVM lists are saved",
    ),
    Case(
        "firecracker-told-too-early",
        ("V4",),
        "Firecracker: the guest is told of its stop before the snapshot, which does not hold it",
        "Firecracker pull request 5494, issue 5322 (2025)",
        READ,
        Design(PerFeature, ToldBeforeSnapshot(), CLOCK),
        ("F26",),
        Design(PerFeature, EVENTS["migrate-told"], CLOCK),
        "pull request 5494: KVM_KVMCLOCK_CTRL before the restored guest runs",
    ),
    Case(
        "cloud-hypervisor-firmware",
        ("V5",),
        "cloud-hypervisor: a guest in its firmware cannot be migrated, because it has no clock to be told of its stop",
        "cloud-hypervisor pull request 3591, issue 3586 (2022)",
        READ,
        Design(PerFeature, StoppedInFirmware(strict=True), CLOCK),
        ("H06",),
        Design(PerFeature, StoppedInFirmware(strict=False), CLOCK),
        "pull request 3591: EINVAL of KVM_KVMCLOCK_CTRL is no error",
    ),
    Case(
        "osv-old-time",
        ("V6",),
        "OSv: the wall clock is registered once, and its time of day stays that of boot",
        "OSv issue 1015 (2018)",
        READ,
        Design(PerFeature, TimeOfDaySet(asks=False), (SettableWallClock(),)),
        ("H07",),
        Design(PerFeature, TimeOfDaySet(asks=True), (SettableWallClock(),)),
        "OSv e694d06 (as the issue says): the register is written again now and then",
    ),
    Case(
        "clock-set-late",
        ("V7",),
        "cloud-hypervisor: after a restore the vCPUs run before the VM's clock is set",
        "cloud-hypervisor pull request 7932, issue 7930 (2026)",
        READ,
        Design(PerFeature, ClockRestored("late"), (VmClock(),)),
        ("F19",),
        Design(PerFeature, ClockRestored("first"), (VmClock(),)),
        "pull request 7932: KVM_SET_CLOCK, then the devices, then the vCPUs",
    ),
    Case(
        "clock-never-set",
        ("V8",),
        "cloud-hypervisor: the VM's clock is saved, and a migration does not set it",
        "cloud-hypervisor pull requests 2653, 2654 (2021)",
        READ,
        Design(PerFeature, ClockRestored("never"), (VmClock(),)),
        ("F19",),
        Design(PerFeature, ClockRestored("first"), (VmClock(),)),
        "pull requests 2653, 2654: it is set before the vCPUs run",
    ),
    Case(
        "arm-sum-lost",
        ("K20",),
        "Arm: the host keeps the sum of stolen time, and begins at 0 after a migration",
        '53f985584e3c, "KVM: arm64: pvtime: Fix stolen time accounting across migration" (2020)',
        READ,
        Design(PvTime, EVENTS["migrate"], (SummedByHost(),)),
        ("F19",),
        Design(PvTime, EVENTS["migrate"], (OTHERS["stolen_time"],)),
        "53f985584e3c: the host adds to what stands in the guest's memory",
    ),
    Case(
        "hyperv-tsc-not-yet-updated",
        ("K21",),
        "Hyper-V: another vCPU reads the TSC page before vCPU 0 has brought it up to date",
        "e880c6ea55b9 (5.12)",
        READ,
        Design(TscPageOfVm, SecondVcpuFirst(), (UpdatedTsc(),), vcpus=2, updates=0),
        ("F20",),
        Design(TscPageOfVm, SecondVcpuFirst(), (UpdatedTsc(),), vcpus=2, fixes=("invalidate",), updates=0),
        "e880c6ea55b9: the page is marked invalid when the update is requested",
    ),
    Case(
        "no-lapic-no-start",
        ("K22",),
        "without LAPIC in the kernel, ASYNC_PF_EN refuses 0, and QEMU does not start",
        "QEMU bug 1896263 on Launchpad; Linux d831de177217 (5.9)",
        READ,
        Design(ZeroRefused, on_qemu(StartWithoutLapic()), STEAL),
        ("F29",),
        Design(ZeroRefused, on_qemu(StartWithoutLapic()), STEAL, fixes=("zero-allowed",)),
        "d831de177217: 0 is always allowed",
    ),
    Case(
        "clock-kept-by-reset",
        ("K23",),
        "a reset of the vCPU leaves its clock registered, and the host writes on",
        '"KVM: x86: release kvmclock page on reset", in the changelog of RHEL 6 under CVE-2013-1797',
        SECONDARY,
        Design(KeptClock, EVENTS["init-no-reregister"], CLOCK),
        ("F03",),
        Design(KeptClock, EVENTS["init-no-reregister"], CLOCK, fixes=("release-on-reset",)),
        "the same patch: the page is released",
    ),
)
