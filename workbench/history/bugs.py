"""The two lists of bugs on which the workbench is tested: real bugs of memory shared with a hypervisor.

B1 to B23 are kinds of bugs, each with a real instance, collected over the designs that share memory with a hypervisor
(Xen, PAPR, Arm, RISC-V, LoongArch, s390, Hyper-V, VMware, SEV, TDX, virtio). K1 to K25 are single bugs of KVM and its
guests, most of them of the paravirtual registers on x86. V1 to V9 are reports from the trackers of VMMs and of other
guests. A bug that is not a case is in LEFT_OUT, with the reason.
"""

BUGS: dict[str, str] = {
    "B1": "an area crosses a page",
    "B2": "the memory disappears after registration",
    "B3": "alignment unchecked at registration",
    "B4": "the guest's path validates, the restore path does not",
    "B5": "the restore path validates, the guest's path does not",
    "B6": "success returned, nothing registered",
    "B7": "a registration that no migration interface carries",
    "B8": "restore replays a side effect",
    "B9": "restore depends on the order of areas",
    "B10": "memory written after kexec, crash, hibernation",
    "B11": "other CPUs' areas cannot be revoked in a panic",
    "B12": "registered once, no undo",
    "B13": "wrong sentinel for off",
    "B14": "a size compared with the host's own sizeof",
    "B15": "a virtual address registered",
    "B16": "a feature offered, its call refused",
    "B17": "a bad address: a fault in one interface, silence in another",
    "B18": "the caller ignores the result",
    "B19": "a result in memory: after a timeout the buffer still belongs to the host",
    "B20": "the host writes before the guest has shared the page",
    "B21": "two areas stacked on one page",
    "B22": "an index out of range",
    "B23": "a mapping torn down while another CPU reads",
    "K1": "CVE-2013-1796: SYSTEM_TIME crosses a page",
    "K2": "CVE-2013-1797: page pinned, memory removed",
    "K3": "CVE-2013-1798: indirect register read unchecked",
    "K4": "CVE-2013-6368: VAPIC address near a page's end",
    "K5": "f1b9dd5eb86c: gpa + len wraps",
    "K6": "CVE-2019-3016: flush bit lost",
    "K7": "7e2175ebd695: cached frame used after the page moved",
    "K8": "901d3765fa80: steal time stays at the old address",
    "K9": "preempted byte written to the old address",
    "K10": "CVE-2022-39189: preempted inside an instruction",
    "K11": "afd67ee3cbbd: PV_EOI_EN keeps what it refused",
    "K12": "ASYNC_PF_EN keeps what it refused",
    "K13": "hibernation leaves areas registered",
    "K14": "5bb9ac186512: a host's write of 0 refused",
    "K15": "CVE-2023-4155: a GHCB field fetched twice",
    "K16": "CVE-2021-4095: guest memory written without a vCPU",
    "K17": "CVE-2014-3610: non-canonical value reaches hardware",
    "K18": "CVE-2019-7221: VMX preemption timer",
    "K19": "a crossing SYSTEM_TIME leaves the old area live",
    "K20": "53f985584e3c: Arm's stolen time goes back after a migration",
    "K21": "e880c6ea55b9: Hyper-V's TSC page is read before its update",
    "K22": "d831de177217: 0 refused without LAPIC",
    "K23": "a reset leaves kvmclock registered",
    "K24": "c35635efdc03: host writes to a VPA not in the dirty log",
    "K25": "118964562969: preempted set after the last dirty log",
    "V1": "Firecracker: registers missing in the list to save",
    "V2": "cloud-hypervisor: a list read in part and taken for all",
    "V3": "cloud-hypervisor: KVM's registers not saved",
    "V4": "Firecracker: news of the stop lost in the snapshot",
    "V5": "cloud-hypervisor: a guest without clock cannot be stopped",
    "V6": "OSv: wall clock read, and never asked for again",
    "V7": "cloud-hypervisor: vCPUs run before the VM's clock is set",
    "V8": "cloud-hypervisor: VM's clock not set after a migration",
    "V9": "cloud-hypervisor: VMM's own writes not in the dirty log",
}

LEFT_OUT: dict[str, str] = {
    "K10": "not a bug of a registration: a right payload at a wrong moment. The host steps in between two steps of the "
    "guest, and each of these is a whole instruction, so nothing is preempted inside one; and what the guest then "
    "leaves out is the flush of a TLB, which no step reads. What of it can be said is K6 (lost-flush).",
    "K16": "an ioctl of the VMM wrote the wall clock while no vCPU was loaded, and the dirty ring, which belongs to a "
    "vCPU, was not there. A call of the VMM and its write can be said now (HostCall); whose dirty ring takes the write "
    "cannot, because every step of a host is taken for some vCPU and the model has one dirty log, of the machine.",
    "K17": "no registration, and no hypercall, device or overlay either: the value of a WRMSR went on into a register "
    "of the processor, and the host took the fault. A handler of the model writes entries and guest memory; it has no "
    "processor under it that could refuse.",
    "K18": "no shared memory and no registration: a timer of a nested guest outlives the structure that it points to. "
    "It is listed because its CVE is often cited beside the others; no step of guest or host would stand for it.",
}
