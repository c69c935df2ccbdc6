"""The cases from other hypervisors and architectures."""

from workbench.features import FEATURES, OTHERS
from workbench.history.broken.arm_pvtime import RealmPvTime, StolenTime
from workbench.history.broken.hyperv import KvmSynic
from workbench.history.broken.indexed import IndexForgotten
from workbench.history.broken.papr import EarlyVpa
from workbench.history.broken.riscv import CounterSnapshot, PmuSnapshot, RustSbi, SbiUnchecked
from workbench.history.broken.tdx_quote import GetQuote, Quote
from workbench.history.broken.xen import EarlyXen, EventChannels, RunstatePhysical, RunstateVirtual
from workbench.history.case import INFERRED, READ, SECONDARY, Case, Design
from workbench.history.events.guest import TimedOut, UnmapWhileReading, UserMode
from workbench.history.events.host import EncryptedHostAllocated
from workbench.history.events.hostile import BadBase, BadBaseThenMigration, HighMemory
from workbench.history.events.migration import ChangedStream
from workbench.lifecycle import EVENTS
from workbench.protocols.hyperv import HyperV
from workbench.protocols.notify import Notify

STEAL, STA, RUNSTATE = (FEATURES["steal_time"],), (OTHERS["sbi_sta"],), (OTHERS["runstate"],)
VPA, VPA_AND_LOG = (OTHERS["vpa"],), (OTHERS["vpa"], OTHERS["dtl"])
CLOCK_AND_STEAL = (FEATURES["kvmclock"], FEATURES["steal_time"])
PAGES = (OTHERS["simp"], OTHERS["siefp"])
SNAPSHOT, INFO, STOLEN, TSC = (CounterSnapshot(),), (EventChannels(),), (StolenTime(),), (OTHERS["reference_tsc"],)

OTHER_CASES = (
    Case(
        "xen-misaligned",
        ("B3",),
        "Xen on Arm: a misaligned vcpu_info makes the host fault",
        "XSA-327, CVE-2020-15564",
        READ,
        Design(EarlyXen, EVENTS["hostile-unaligned"], INFO, vcpus=2),
        ("H02",),
        Design(EarlyXen, EVENTS["hostile-unaligned"], INFO, vcpus=2, fixes=("check-alignment",)),
        "XSA-327: a misaligned address is refused",
    ),
    Case(
        "riscv-restore-unchecked",
        ("B4",),
        "RISC-V: a restore accepts an address that the call refuses",
        "fa9681ed5c6a (2026)",
        READ,
        Design(SbiUnchecked, ChangedStream(), STA),
        ("H02", "F09"),
        Design(SbiUnchecked, ChangedStream(), STA, fixes=("validate-on-restore",)),
        "fa9681ed5c6a: one check for both",
    ),
    Case(
        "loongarch-call-unchecked",
        ("B5",),
        "LoongArch: the call accepts an address that the restore refuses",
        "Linux 6.12 arch/loongarch/kvm/exit.c, vcpu.c",
        READ,
        Design(Notify, BadBaseThenMigration(), STEAL),
        ("F02",),
        Design(Notify, BadBaseThenMigration(), STEAL, fixes=("check-in-call", "look-at-answer")),
        "none known; this project's: the call checks the address, the guest checks the result",
    ),
    Case(
        "riscv-false-success",
        ("B6",),
        "RV32: because of a misplaced goto the call succeeds without registering",
        "aa35bcf2e762 (2026)",
        READ,
        Design(PmuSnapshot, HighMemory(), SNAPSHOT),
        ("F04",),
        Design(PmuSnapshot, HighMemory(), SNAPSHOT, fixes=("register-high",)),
        "aa35bcf2e762: the address is registered",
    ),
    Case(
        "riscv-not-migrated",
        ("B7",),
        "RISC-V: nothing reads the PMU snapshot's address",
        "Linux 6.12 arch/riscv/kvm/vcpu_pmu.c",
        READ,
        Design(PmuSnapshot, EVENTS["migrate"], SNAPSHOT),
        ("F02",),
        Design(PmuSnapshot, EVENTS["migrate"], SNAPSHOT, fixes=("one-reg",)),
        "none known; this project's: a one-reg, as steal time has",
    ),
    Case(
        "papr-not-migrated",
        ("B7",),
        "POWER: nothing could read the VPA registrations",
        "55b665b0263a (2012)",
        READ,
        Design(EarlyVpa, EVENTS["migrate"], VPA, fixes=("at-least-640",)),
        ("F02",),
        Design(EarlyVpa, EVENTS["migrate"], VPA, fixes=("at-least-640", "one-reg")),
        "55b665b0263a: a pseudo-register for each kind of area",
    ),
    Case(
        "index-not-migrated",
        ("B7",),
        "an index is lost between the two exits; here the address goes to slot 0, in QEMU the write was ignored",
        'QEMU, "hw/pci-host: save/restore pci host config register" (July 2020), there for 0xCF8',
        READ,
        Design(IndexForgotten, EVENTS["migrate"], CLOCK_AND_STEAL, updates=0),
        ("F04", "F09"),
        Design(IndexForgotten, EVENTS["migrate"], CLOCK_AND_STEAL, fixes=("carry-index",), updates=0),
        "QEMU 5.1 carries the index",
    ),
    Case(
        "hyperv-zeroed-again",
        ("B8",),
        "Hyper-V: restoring the register zeroes the message page",
        "Linux Documentation/virt/kvm/api.rst, KVM_CAP_HYPERV_SYNIC2",
        READ,
        Design(KvmSynic, EVENTS["migrate"], PAGES[:1]),
        ("F10",),
        Design(KvmSynic, EVENTS["migrate"], PAGES[:1], fixes=("synic2",)),
        "KVM_CAP_HYPERV_SYNIC2: a restore does not zero",
    ),
    Case(
        "papr-restore-order",
        ("B9",),
        "POWER: the log is restored before the VPA and is refused",
        "Linux arch/powerpc/kvm/book3s_hv.c; QEMU target/ppc/kvm.c",
        READ,
        Design(EarlyVpa, EVENTS["migrate"], VPA_AND_LOG, fixes=("at-least-640", "one-reg")),
        ("F02", "F09"),
        Design(EarlyVpa, EVENTS["migrate"], VPA_AND_LOG, fixes=("at-least-640", "one-reg", "vpa-first")),
        "QEMU sets the VPA first",
    ),
    Case(
        "xen-no-undo",
        ("B12",),
        "Xen: vcpu_info cannot be revoked; after kexec the host still writes it",
        "Xen public/vcpu.h; Linux arch/x86/xen/enlighten_hvm.c",
        READ,
        Design(EarlyXen, EVENTS["kexec"], INFO),
        ("F01",),
        Design(EarlyXen, EVENTS["kexec"], INFO, fixes=("soft-reset",)),
        "Linux ends kexec in SHUTDOWN_soft_reset, which revokes it",
    ),
    Case(
        "rustsbi-sentinel",
        ("B13",),
        "RustSBI: the firmware keeps 0 for no area, so that an area at address 0 is accepted and counts as none",
        "RustSBI pull request 255 (2026), its review, and firmware/prototyper/src/sbi/sta.rs before and after",
        READ,
        Design(RustSbi, EVENTS["hostile-address-zero"], STA),
        ("F04",),
        Design(RustSbi, EVENTS["hostile-address-zero"], STA, fixes=("spec-sentinel",)),
        "pull request 255, as merged later: all-ones is kept for no area",
    ),
    Case(
        "papr-sizeof",
        ("B14",),
        "POWER: 640 bytes are legal, the host demands 1024; nothing registers",
        "Linux arch/powerpc/include/asm/lppaca.h (KVM before 4.14)",
        READ,
        Design(EarlyVpa, EVENTS["boot"], VPA),
        ("S01",),
        Design(EarlyVpa, EVENTS["boot"], VPA, fixes=("at-least-640",)),
        "4.14: compared with PAPR's minimum",
    ),
    Case(
        "xen-virtual-address",
        ("B15",),
        "Xen: in user mode the page tables do not map the area",
        '"Error during update_runstate_area with KPTI activated" (xen-devel, May 2020)',
        READ,
        Design(RunstateVirtual, UserMode(), RUNSTATE),
        ("H03",),
        Design(RunstateVirtual, UserMode(), RUNSTATE, fixes=("by-physical-address",)),
        "Xen 4.18: operations by physical address",
    ),
    Case(
        "xen-offered-refused",
        ("B16",),
        "Xen on Arm: runstate by gpa is offered, but the call is unknown",
        "Xen xen/arch/arm/domain.c (do_vcpu_op), common/kernel.c",
        INFERRED,
        Design(RunstatePhysical, EVENTS["boot"], RUNSTATE),
        ("S01",),
        Design(RunstatePhysical, EVENTS["boot"], RUNSTATE, fixes=("offer-what-works",)),
        "none known; this project's: what is offered is accepted",
    ),
    Case(
        "hyperv-silent-tsc",
        ("B17",),
        "Hyper-V: the TSC page accepts an address without memory",
        "Hyper-V TLFS 12.7.1, as propolis cites it",
        READ,
        Design(HyperV, BadBase(), TSC),
        ("F11",),
        Design(HyperV, BadBase(), TSC, fixes=("fault-like-hypercall",)),
        "none made; this project's: #GP, as the hypercall page has",
    ),
    Case(
        "loongarch-unheard",
        ("B18",),
        "LoongArch: the guest does not check the result",
        "Linux 6.12 arch/loongarch/kernel/paravirt.c",
        READ,
        Design(Notify, EVENTS["hostile-bad-base"], STEAL, vcpus=2, fixes=("check-in-call",)),
        ("F04",),
        Design(
            Notify, EVENTS["hostile-bad-base"], STEAL, vcpus=2, fixes=("check-in-call", "look-at-answer")
        ),
        "none known; this project's: it checks the result",
    ),
    Case(
        "tdx-late-answer",
        ("B19",),
        "TDX: a late answer is written to a buffer that the guest has reused",
        "Linux 6.12 drivers/virt/coco/tdx-guest",
        READ,
        Design(GetQuote, TimedOut(gives_back=True), (Quote(),)),
        ("F01",),
        Design(GetQuote, TimedOut(gives_back=False), (Quote(),)),
        "Linux keeps a buffer that timed out; no bug was shipped",
    ),
    Case(
        "arm-realm-unshared",
        ("B20",),
        "Arm realm: the host writes stolen time before the page is shared",
        '"[RFC PATCH 04/16] hw/arm/virt: Add support for Arm RME" (27 January 2023)',
        SECONDARY,
        Design(RealmPvTime, EncryptedHostAllocated(), STOLEN),
        ("H02",),
        Design(RealmPvTime, EncryptedHostAllocated(), STOLEN, fixes=("write-once-asked",)),
        "QEMU: off for realms; this project's: write once asked",
    ),
    Case(
        "hyperv-stacked",
        ("B21",),
        "Hyper-V: two overlay pages at one address",
        "Hyper-V TLFS 5.2.1",
        READ,
        Design(HyperV, EVENTS["overlap"], PAGES),
        ("F17",),
        Design(HyperV, EVENTS["overlap"], PAGES, fixes=("refuse-stacking",)),
        "none made; this project's: the second is refused",
    ),
    Case(
        "arm-unmapped-reader",
        ("B23",),
        "Arm: hot-unplug unmaps stolen time while another CPU reads it",
        "19bef63f951e (2022)",
        SECONDARY,
        Design(RealmPvTime, UnmapWhileReading(grace=False), STOLEN, vcpus=2),
        ("H04",),
        Design(RealmPvTime, UnmapWhileReading(grace=True), STOLEN, vcpus=2),
        "19bef63f951e: RCU, unmapped after a grace period",
    ),
)
