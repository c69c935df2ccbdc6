"""What was read for each row of the history: the claims were compared with their sources once more (November 2026).

A row is a case, by its name, or a bug that was left out, by its number. A new row needs an entry here.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from workbench.errors import WorkbenchError
from workbench.history import BUGS, CASES, LEFT_OUT

#: How far a claim was compared with its source.
TEXT, CODE, TITLE, MEASURED, NOT_READ = "text", "code", "title", "measured", "not read again"
HOW = {
    TEXT: "the commit message, advisory, report or mail was read, with its patch where it has one",
    CODE: "the source file was read",
    TITLE: "only titles were found: in changelogs of distributions, pull requests, lists of commits",
    MEASURED: "it was done on a real KVM",
    NOT_READ: "the source could not be read this time; the claim stands as it was read before (see Evidence)",
}


class Checked(NamedTuple):
    """One row: what its source says, in our words; what exactly was read; what was wrong with the row, if anything."""

    how: str  #: one of HOW
    read: str
    says: str
    was_wrong: str = ""


SOURCES: dict[str, Checked] = {
    "clock-across-a-page": Checked(
        TITLE,
        "changelogs of Oracle Linux (UEK 2.6.32-400.27.1) and RHEL 6 (2.6.32-358)",
        "the fix is for a buffer overflow in the handling of SYSTEM_TIME; RHEL took back a #GP for unaligned addresses",
    ),
    "clock-page-removed": Checked(
        TITLE, "the same changelogs", "SYSTEM_TIME was converted to the cache that derives the mapping again"
    ),
    "index-unchecked": Checked(
        TEXT,
        "8c86405f606c (2019), which fixes a2c118bfab8b once more",
        "the index in an indirect read of the I/O APIC is the guest's register; a2c118bfab8b bounds it",
    ),
    "vapic-across-a-page": Checked(
        TITLE, "Ubuntu's list of CVEs, Linux 3.x changelogs", "the VAPIC is synchronized by the cached functions"
    ),
    "wrapping-address": Checked(
        TEXT,
        "the patch as posted (Jim Mattson, December 2018); fcfbc617547f in the stable mails",
        "with gpa + len wrapped, the whole region was not validated; some callers did not look at the result",
    ),
    "lost-flush": Checked(
        TEXT,
        "b043138246a4 as in stable 5.5 (10 February 2020)",
        "between the clearing of the host's copy and its arrival, the guest still sees PREEMPTED and leaves its flush",
        "the fix was named 1eff70a9abd4, which only introduces kvm_map_gfn",
    ),
    "frame-moved": Checked(
        TEXT,
        "7e2175ebd695 as in stable 5.10 (May 2023)",
        "the cache is not hooked to MMU notifiers, and goes on mapping the wrong page after page tables change",
    ),
    "steal-time-old-address": Checked(
        TEXT,
        "901d3765fa80 as in stable 5.19",
        "the address was no longer compared; with kexec steal time is written at the old kernel's address",
    ),
    "preempted-old-address": Checked(
        TEXT,
        "c3c28d24d910 as in stable 5.19 (15 August 2022)",
        "the same for the preempted bit",
    ),
    "refused-eoi-kept": Checked(
        TITLE, "afd67ee3cbbd in the lists of commits of 5.16", "the value was updated by a bogus value as well"
    ),
    "refused-async-pf-kept": Checked(
        TEXT,
        "Sean Christopherson's answer to syzbot (16 July 2025), with a patch",
        "the register is set even if the gpa is bad, which leaves the cache empty",
    ),
    "refused-async-pf-restored": Checked(
        TEXT,
        "the same answer; that a list stops at a refused entry: 5bb9ac186512 and cloud-hypervisor pull request 1543",
        "concluded from both: the value that a migration carries is refused again, and the list stops there",
    ),
    "hibernation-boot-cpu": Checked(
        TEXT,
        "8b79feffeca2 as in stable 5.4 (2021)",
        "after a restore the host wrote to stale locations; secondary CPUs were torn down, the boot CPU was not",
    ),
    "kexec-clock": Checked(
        TEXT,
        "c02027b5742b as in stable 5.4 (2021); CVE-2021-47110",
        "machine_shutdown disabled the clock of the boot CPU only; the message's own example is hibernation",
    ),
    "crash-other-cpus": Checked(
        TEXT,
        "3d6b84132d2a as in stable 5.10 (2021)",
        "the crash handler runs kvm_guest_cpu_offline on the CPU that crashed; of the others nothing is said",
        "the commit was cited for the stopped CPUs; it is about other features of the CPU that crashes",
    ),
    "hidden-clock": Checked(
        TEXT,
        "5bb9ac186512 as in stable (2026)",
        "the host's reads and writes of a hidden register failed; -cpu host,-kvmclock,kvm-pv-enforce-cpuid aborts QEMU",
        "the VMM does not read the 0, it has it from its reset; before the fix, the read was refused too",
    ),
    "async-pf-order": Checked(
        TEXT,
        "the patch as posted (17 September 2020)",
        "the value of ASYNC_PF_INT was written to ASYNC_PF_EN, and before ASYNC_PF_INT; the bug was never released",
    ),
    "ghcb-double-fetch": Checked(
        TEXT, "7588dbcebcbf as in stable (2023)", "the exit code is fetched twice, and the guest swaps it in between"
    ),
    "clock-crossing-old-live": Checked(
        MEASURED,
        "/dev/kvm of Linux 6.18 (docs/real-kvm.md); the function was read in 6.12",
        "the register shows the new value, and the old area is written",
    ),
    "xen-misaligned": Checked(
        TEXT,
        "XSA-327, version 3, and its patch",
        "on Arm accesses need an alignment that is not checked: a guest crashes the hypervisor; fixed by -EINVAL",
    ),
    "riscv-restore-unchecked": Checked(
        TEXT,
        "issue 356 of RVCK-Project/rvck, which backports fa9681ed5c6a",
        "KVM_SET_ONE_REG took unaligned addresses, and KVM_RUN met a WARN_ON in record_steal_time",
    ),
    "loongarch-call-unchecked": Checked(
        CODE,
        "kvm_save_notify and kvm_loongarch_pvtime_set_attr",
        "the call looks at reserved bits only; the VMM's call looks for a memslot too",
    ),
    "riscv-false-success": Checked(
        TEXT,
        "the patch as posted (8 March 2026)",
        "the goto was unconditional; the message says rejected, but by the code the error is still 0, which is success",
    ),
    "riscv-not-migrated": Checked(NOT_READ, "", "no one-reg carries the address of the PMU snapshot"),
    "papr-not-migrated": Checked(
        CODE,
        "arch/powerpc/kvm/book3s_hv.c and QEMU's kvm_get_vpa as they are since; the commit itself was not found",
        "KVM_REG_PPC_VPA_ADDR, _SLB and _DTL are the registers by which user space reads and resets them",
    ),
    "index-not-migrated": Checked(
        TEXT,
        "the patch as posted (27 July 2020)",
        "the config address is lost between two writes, so that the data write is ignored, and the guest crashes later",
        "the row said that the write goes elsewhere; so it is in this design, in QEMU it was ignored",
    ),
    "hyperv-zeroed-again": Checked(TITLE, "efc479e6900c in a stable mail", "KVM_CAP_HYPERV_SYNIC2 was added"),
    "papr-restore-order": Checked(
        NOT_READ, "", "the log is refused while no VPA is registered; QEMU sets the VPA first"
    ),
    "xen-no-undo": Checked(
        CODE,
        "arch/x86/xen/enlighten.c, enlighten_hvm.c",
        "VCPUOP_register_vcpu_info cannot be called twice for a vCPU; kexec and crash end in SHUTDOWN_soft_reset",
    ),
    "rustsbi-sentinel": Checked(
        CODE,
        "review of pull request 255; firmware/prototyper/src/sbi/sta.rs before and after",
        "all-ones revoked all along; but 0 was kept for none, and the reviewer says that address 0 may be memory",
        "the row said that all-ones was ignored and the area stayed live; the model was that, and is now another",
    ),
    "papr-sizeof": Checked(
        CODE, "arch/powerpc/include/asm/lppaca.h", "PAPR says 640 bytes; KVM before 4.14 rejects less than 1 kB"
    ),
    "xen-virtual-address": Checked(
        TEXT,
        "the thread (15 May 2020)",
        "the update at a context switch needs the guest's mapping; x86 suffers the same and squashes it silently",
    ),
    "xen-offered-refused": Checked(
        CODE, "xen/arch/arm/domain.c, before 4.16", "all operations but two are -EINVAL; the offer was not read again"
    ),
    "hyperv-silent-tsc": Checked(NOT_READ, "", "the reference TSC page takes any address"),
    "loongarch-unheard": Checked(
        CODE, "arch/loongarch/kernel/paravirt.c, pv_enable_steal_time", "the result of the call is not looked at"
    ),
    "tdx-late-answer": Checked(
        TEXT,
        "reviews of the driver's patches",
        "a buffer in flight belongs to the VMM; after a timeout it is kept, and no new request is made",
    ),
    "arm-realm-unshared": Checked(
        TEXT,
        "the patch as posted (27 January 2023)",
        "the host writes the region before the guest can share it, so stolen time is off for realms",
    ),
    "hyperv-stacked": Checked(NOT_READ, "", "what is seen of two overlay pages at one address is left open"),
    "arm-unmapped-reader": Checked(
        TITLE, "the maintainer's answer with 19bef63f951e", "stolen time is guarded by RCU read locks"
    ),
    "firecracker-list": Checked(
        TEXT,
        "both pull requests, and src/vmm/src/arch/x86_64/msr.rs at 643349ad293f",
        "3064 added both registers; 5738 replaced single entries by KVM's whole range",
        "the row said that ASYNC_PF_INT was absent until 2026, as 5738 does; the code before it has it, and lacks ACK",
    ),
    "cloud-hypervisor-short-read": Checked(
        TEXT, "the pull request", "both calls stop at the first failing register; only a subset of the list was saved"
    ),
    "cloud-hypervisor-boot-list": Checked(
        TEXT,
        "the pull request; the list before it was not read",
        "saving all supported registers fixes what remained of snapshot and restore",
    ),
    "firecracker-told-too-early": Checked(
        TEXT, "the pull request", "the flag reaches the page at the next update, so a snapshot may not have it"
    ),
    "cloud-hypervisor-firmware": Checked(
        TEXT, "the pull request", "in the firmware KVM_KVMCLOCK_CTRL fails with EINVAL, and the migration with it"
    ),
    "osv-old-time": Checked(
        TEXT, "the issue", "the register is written once, at boot, and the time of day does not follow the host's"
    ),
    "clock-set-late": Checked(
        TEXT, "the pull request and the issue", "vCPUs started before KVM_SET_CLOCK; Windows hung for four minutes"
    ),
    "clock-never-set": Checked(
        TEXT, "both pull requests", "the clock was in the snapshot, and new VMs got none; ticks stood still"
    ),
    "arm-sum-lost": Checked(
        TEXT,
        "the patch as posted (4 August 2020); that it is 53f985584e3c: blame in a report of the kernel test robot",
        "with a sum kept by the kernel, stolen time is reset to zero at the first update after a migration",
        "the catalogue of failures (F19) named 2dbd780e34ac, which is another patch of the series",
    ),
    "hyperv-tsc-not-yet-updated": Checked(
        TITLE,
        "the series' cover letter and a later fix (May 2021), which name the commit",
        "secondary CPUs must not use a TSC page that is not yet updated; the page is invalidated first",
    ),
    "no-lapic-no-start": Checked(
        TEXT,
        "comments on the bug, which quote d831de177217",
        "QEMU failed to start: failed to set MSR 0x4b564d02 to 0x0",
    ),
    "clock-kept-by-reset": Checked(TITLE, "changelog of RHEL 6 (2.6.32-358)", "the page is released on reset"),
    "K10": Checked(
        TITLE, "stable mails and changelogs of 2022", "no report as preempted outside instruction boundaries"
    ),
    "K16": Checked(
        TEXT,
        "the report to oss-security (14 December 2021)",
        "KVM_XEN_HVM_SET_ATTR writes the wall clock without a running vCPU, whose dirty ring is then NULL",
    ),
    "vpa-not-logged": Checked(
        TEXT,
        "the commit, in a mirror of Linux 4.9",
        "KVM_GET_DIRTY_LOG did not report what the host writes to VPAs and trace logs; each has got a dirty flag",
    ),
    "preempted-at-save": Checked(
        TEXT,
        "the patch (v3 3/3, 3 May 2024) and the mail that names the commit",
        "an ioctl that was preempted marked the vCPU; now the last bitmap can be read before the vCPU's state",
    ),
    "cloud-hypervisor-own-writes": Checked(
        TEXT,
        "issue 2458 and pull request 2497 of cloud-hypervisor",
        "pages that the VMM writes are tracked besides KVM's log; without, a guest's disk traffic broke off",
    ),
    "K17": Checked(
        TEXT, "the CVE", "the handling of WRMSR did not refuse non-canonical addresses, and the host crashed"
    ),
    "K18": Checked(TITLE, "changelogs of Oracle Linux and Ubuntu", "the preemption timer is cancelled in free_nested"),
}


def rows() -> Iterator[tuple[str, str, Checked]]:
    """Yield (row, its source, what was read) for every case, in order, and for every bug that was left out.

    Raises WorkbenchError for a row of which SOURCES says nothing.
    """
    for name, source in [(case.name, case.source) for case in CASES] + [(bug, BUGS[bug]) for bug in LEFT_OUT]:
        if name not in SOURCES:
            raise WorkbenchError(f"{name}: workbench/history/sources.py does not say how its claim was compared")
        yield name, source, SOURCES[name]


def counted(checked: Iterable[Checked]) -> str:
    """Return a sentence that counts how the claims were compared, and how many were wrong."""
    every = list(checked)
    kinds = ", ".join(f"{sum(one.how == how for one in every)} {how}" for how in HOW)
    return f"{len(every)} rows: {kinds}. Wrong: {sum(bool(one.was_wrong) for one in every)}, corrected since."
