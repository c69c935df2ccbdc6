"""The VMM as an actor: what it does when its host refuses a part of the state that it restores.

KVM_SET_MSRS writes a list of registers, stops at the first entry that it refuses, and returns how many it has written
(Documentation/virt/kvm/api.rst, 4.19). What follows is the VMM's affair, and VMMs differ: see :data:`VMMS`. Designs
whose state is restored by other calls are asked in the same way: one item of the saved state is one entry.
"""

from dataclasses import dataclass

from workbench.core.outcome import Becomes


@dataclass(frozen=True)
class Vmm:
    """A VMM: its ``name`` and ``title``, and the ``source`` of what it does when an entry is refused.

    ``skips``: it leaves out the refused entry and writes those after it. ``becomes``: what becomes of the machine.
    """

    name: str
    title: str
    becomes: Becomes
    source: str
    skips: bool = False

    def ends(self, refused: int) -> bool:
        """Tell whether the machine does not run on this VMM's host, where ``refused`` entries were refused."""
        return bool(refused) and self.becomes.is_end

    def __repr__(self) -> str:
        return f"<VMM {self.name}>"


#: What events assume that name no VMM: the list of the vCPU ends at the refused entry, and the machine goes on.
STOPS_SHORT = Vmm(
    "stops-short", "VMM ignores the count", Becomes.LESS,
    "the returned number is not compared: cloud-hypervisor until pull request 1543 (when reading), nanvix until 1495",
)  # fmt: skip

#: By name: VMMs whose source was read. A further one is an entry here.
VMMS = {
    vmm.name: vmm
    for vmm in (
        Vmm(
            "qemu", "QEMU", Becomes.ABORTS,
            "QEMU 10.0 target/i386/kvm/kvm.c, kvm_buf_set_msrs: error_report, then an assertion that all were written",
        ),
        Vmm(
            "cloud-hypervisor", "cloud-hypervisor", Becomes.LESS,
            "cloud-hypervisor hypervisor/src/kvm/mod.rs, set_msrs and set_state: warns \"Detected faulty MSR\", leaves "
            "it out, writes the rest", skips=True,
        ),
        Vmm(
            "firecracker", "Firecracker", Becomes.REFUSED,
            "Firecracker src/vmm/src/vstate/vcpu/x86_64.rs (now arch/x86_64/vcpu.rs), restore_state: error "
            "VcpuSetMsrsIncomplete, the snapshot is not loaded",
        ),
    )
}  # fmt: skip
