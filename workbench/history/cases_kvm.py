"""The cases from KVM on x86: single bugs, most of them documented by a commit or an advisory."""

from workbench.core.vmm import VMMS
from workbench.features import FEATURES
from workbench.history.broken.cached_steal import AddressCache, FrameCache, PreemptedCache
from workbench.history.broken.crash_revoke import CrashRevoke
from workbench.history.broken.flush_bit import FlushBit
from workbench.history.broken.ghcb import Ghcb, JumpTable
from workbench.history.broken.indexed import IndexUnchecked
from workbench.history.broken.kept_eoi import KeptEoi
from workbench.history.broken.pinned_clock import PinnedClock
from workbench.history.broken.restless_clock import RestlessClock
from workbench.history.broken.restored import HiddenClock, SwappedAsyncPf
from workbench.history.broken.vapic import TaskPriority, Vapic
from workbench.history.broken.wrapping_clock import WrappingClock
from workbench.history.case import INFERRED, READ, SECONDARY, Case, Design
from workbench.history.events.guest import RemoteFlush
from workbench.history.events.host import PageMoved
from workbench.history.events.hostile import (
    AcrossAPage,
    BadBase,
    BadBaseThenMigration,
    EndOfRam,
    UnknownIndex,
    Wrapping,
)
from workbench.history.events.kernels import Hibernation, RevokedForAll, Shutdown
from workbench.history.events.migration import MigrateHiddenClock
from workbench.lifecycle import EVENTS
from workbench.lifecycle.under_vmm import on_qemu, under
from workbench.protocols.per_feature import PerFeature

CLOCK, STEAL, EOI, ASYNC = (
    (FEATURES[name],) for name in ("kvmclock", "steal_time", "pv_eoi", "async_pf")
)
RESTLESS = (RestlessClock(),)
CRASH = RevokedForAll(reuses_memory=False)
ADVISORY = "CESA-2013:0727"

KVM_CASES = (
    Case(
        "clock-across-a-page",
        ("B1", "K1"),
        "SYSTEM_TIME crosses a page: the host writes past the one it mapped",
        f"CVE-2013-1796 ({ADVISORY})",
        READ,
        Design(PinnedClock, EndOfRam(), CLOCK),
        ("H01", "F07"),
        Design(PinnedClock, EndOfRam(), CLOCK, fixes=("check-alignment",)),
        "c300aa64ddf5: an unaligned address maps nothing, silently",
    ),
    Case(
        "clock-page-removed",
        ("B2", "K2"),
        "the clock's page stays pinned after its memslot is deleted; the host still writes to it",
        f"CVE-2013-1797 ({ADVISORY})",
        READ,
        Design(PinnedClock, EVENTS["memslot-unplug"], CLOCK),
        ("H01",),
        Design(PinnedClock, EVENTS["memslot-unplug"], CLOCK, fixes=("derive-again",)),
        "0b79459b482e: each write derives the mapping again",
    ),
    Case(
        "index-unchecked",
        ("B22", "K3"),
        "an index beyond the table reaches the host's own memory",
        f"CVE-2013-1798 ({ADVISORY}), there in the I/O APIC",
        READ,
        Design(IndexUnchecked, UnknownIndex(), STEAL),
        ("H01",),
        Design(IndexUnchecked, UnknownIndex(), STEAL, fixes=("check-index",)),
        "a2c118bfab8b: the index is compared with the table's size",
    ),
    Case(
        "vapic-across-a-page",
        ("K4",),
        "four bytes at a page's end are written through a mapping of one page",
        "CVE-2013-6368, title of the fix",
        SECONDARY,
        Design(Vapic, AcrossAPage(), (TaskPriority(),)),
        ("H01",),
        Design(Vapic, AcrossAPage(), (TaskPriority(),), fixes=("cached-accessors",)),
        "converted to accessors that go page by page",
    ),
    Case(
        "wrapping-address",
        ("K5",),
        "gpa + len wraps, no page is checked, and the area is served",
        "f1b9dd5eb86c (2018), fcfbc617547f",
        READ,
        Design(WrappingClock, Wrapping(), CLOCK),
        ("F07",),
        Design(WrappingClock, Wrapping(), CLOCK, fixes=("refuse-wraparound",)),
        "f1b9dd5eb86c: a last page before the first is an error",
    ),
    Case(
        "lost-flush",
        ("K6",),
        "a TLB flush that is requested while the host clears the byte is lost",
        "CVE-2019-3016; b043138246a4 (5.6)",
        READ,
        Design(FlushBit, RemoteFlush(), STEAL, vcpus=2, updates=0),
        ("H05",),
        Design(FlushBit, RemoteFlush(), STEAL, vcpus=2, fixes=("look-after-clearing",), updates=0),
        "b043138246a4: the host exchanges the byte in the guest's page; here the order of two bytes",
    ),
    Case(
        "frame-moved",
        ("K7",),
        "the host moves the page; steal time goes to the old frame",
        "7e2175ebd695 (5.16)",
        READ,
        Design(FrameCache, PageMoved(), STEAL),
        ("H01",),
        Design(FrameCache, PageMoved(), STEAL, fixes=("by-user-address",)),
        "7e2175ebd695: written by user address, through page tables",
    ),
    Case(
        "steal-time-old-address",
        ("K8",),
        "the new kernel registers, but the host still writes at the old kernel's address",
        "901d3765fa80 (2022)",
        READ,
        Design(AddressCache, EVENTS["kexec"], STEAL),
        ("F01", "F15"),
        Design(AddressCache, EVENTS["kexec"], STEAL, fixes=("compare-address",)),
        "901d3765fa80: the address is compared as well",
    ),
    Case(
        "preempted-old-address",
        ("K9",),
        "the byte preempted is written where the old kernel's steal time was",
        'c3c28d24d910, "KVM: x86: do not report preemption if the steal time cache is stale" (2022)',
        READ,
        Design(PreemptedCache, EVENTS["kexec"], STEAL),
        ("F01",),
        Design(PreemptedCache, EVENTS["kexec"], STEAL, fixes=("compare-address",)),
        "the same commit",
    ),
    Case(
        "refused-eoi-kept",
        ("K11",),
        "PV_EOI_EN: the write takes #GP, but the refused address stays in the register",
        "afd67ee3cbbd (5.16)",
        READ,
        Design(KeptEoi, BadBase(), EOI),
        ("F16",),
        Design(PerFeature, BadBase(), EOI),
        "afd67ee3cbbd: the value is kept once the address is good (the cached address is spoilt all the same: R7)",
    ),
    Case(
        "refused-async-pf-kept",
        ("K12",),
        "ASYNC_PF_EN: the write takes #GP, but the refused address stays in the register",
        "syzbot bc0e18379a290e5edfe4 (2025); Linux 6.12",
        READ,
        Design(PerFeature, BadBase(), ASYNC),
        ("F16",),
        Design(PerFeature, BadBase(), ASYNC, fixes=("commit-after-check",)),
        "series 20260406225359.1245490 (2026): check, then commit (the cached address is spoilt all the same: R10)",
    ),
    Case(
        "refused-async-pf-restored",
        ("K12",),
        "a migration carries the refused value, which is refused again; QEMU aborts on the destination",
        "syzbot bc0e18379a290e5edfe4 (2025); Linux 6.12; QEMU target/i386/kvm/kvm.c, kvm_buf_set_msrs",
        READ,
        Design(PerFeature, on_qemu(BadBaseThenMigration()), STEAL + ASYNC),
        ("F29",),
        Design(PerFeature, on_qemu(BadBaseThenMigration()), STEAL + ASYNC, fixes=("commit-after-check",)),
        "series 20260406225359.1245490 (2026): check, then commit, so that no refused value is read and carried",
    ),
    Case(
        "hibernation-boot-cpu",
        ("B10", "K13"),
        "hibernation: the boot CPU's areas outlive the kernel that reads the image",
        "8b79feffeca2 (5.13)",
        READ,
        Design(PerFeature, Hibernation(boot_cpu_revokes=False), STEAL, vcpus=2, updates=0),
        ("F01",),
        Design(PerFeature, Hibernation(boot_cpu_revokes=True), STEAL, vcpus=2, updates=0),
        "8b79feffeca2: the boot CPU revokes as well",
    ),
    Case(
        "kexec-clock",
        ("B10", "K13"),
        "kexec: the clocks of the other CPUs are written into the new kernel",
        "c02027b5742b (5.13)",
        READ,
        Design(PerFeature, Shutdown(every_cpu=False), RESTLESS, vcpus=2, updates=0),
        ("F01",),
        Design(PerFeature, Shutdown(every_cpu=True), RESTLESS, vcpus=2, updates=0),
        "c02027b5742b: the clock is disabled on all CPUs on shutdown",
    ),
    Case(
        "crash-other-cpus",
        ("B11",),
        "after a crash the host still writes the stopped CPUs' areas",
        "Linux Documentation/virt/hyperv/overview.rst; 3d6b84132d2a (5.13): KVM guests revoke on the crashing CPU",
        INFERRED,
        Design(CrashRevoke, CRASH, STEAL, vcpus=2, updates=0),
        ("F03",),
        Design(CrashRevoke, CRASH, STEAL, vcpus=2, fixes=("revoke-everything",), updates=0),
        "none made; this project's: one call that revokes for all",
    ),
    Case(
        "hidden-clock",
        ("K14",),
        "a hidden register refuses the 0 that QEMU (until 9.2) writes, and QEMU aborts",
        "5bb9ac186512 (2026)",
        READ,
        Design(HiddenClock, under(MigrateHiddenClock(), VMMS["qemu-9.2"]), STEAL),
        ("F29",),
        Design(HiddenClock, under(MigrateHiddenClock(), VMMS["qemu-9.2"]), STEAL, fixes=("host-may-write-0",)),
        "5bb9ac186512: 0 is accepted from the host",
    ),
    Case(
        "async-pf-order",
        ("B9",),
        "QEMU restores ASYNC_PF_INT's value to ASYNC_PF_EN, which refuses it, and aborts",
        '"target/i386: Fix VM migration when interrupt based APF is enabled" (September 2020)',
        READ,
        Design(SwappedAsyncPf, on_qemu(EVENTS["migrate"]), CLOCK + ASYNC),
        ("F29",),
        Design(SwappedAsyncPf, on_qemu(EVENTS["migrate"]), CLOCK + ASYNC, fixes=("right-register",)),
        "the same patch: each value to its register, INT first",
    ),
    Case(
        "ghcb-double-fetch",
        ("K15",),
        "the exit code in the GHCB changes between two reads by the host",
        "CVE-2023-4155; introduced by 291bd20d5d88",
        READ,
        Design(Ghcb, EVENTS["descriptor-race"], (JumpTable(),), vcpus=2),
        ("F05",),
        Design(Ghcb, EVENTS["descriptor-race"], (JumpTable(),), vcpus=2, fixes=("read-once",)),
        "7588dbcebcbf: every field is read once",
    ),
    Case(
        "clock-crossing-old-live",
        ("K19",),
        "SYSTEM_TIME moves to an address at which it crosses a page; the old area stays live",
        "Linux 6.12 virt/kvm/pfncache.c (__kvm_gpc_activate), measured on 6.18",
        READ,
        Design(PerFeature, EVENTS["double-registration-crossing"], CLOCK),
        ("F15",),
        Design(PerFeature, EVENTS["double-registration-crossing"], CLOCK, fixes=("revoke-on-crossing",)),
        "none made; this project's: the old area is dropped first",
    ),
)
