"""The VMM as an actor: which registers it carries, and what it does when its host refuses one that it restores.

KVM_SET_MSRS writes a list of registers, stops at the first entry that it refuses, and returns how many it has written
(Documentation/virt/kvm/api.rst, 4.19). What follows is the VMM's affair, and VMMs differ: see :data:`VMMS`. Designs
whose state is restored by other calls are asked in the same way: one item of the saved state is one entry.

Each rule has its source (:class:`Source`). Reading a list is another matter: KVM_GET_MSRS stops short, too, and what a
VMM then does is told in its sources, but not modelled, because KVM can read every register of the lists here.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import NamedTuple

from workbench.core.kvm_registers import KVM_ORDER, QEMU_ORDER, SYSTEM_TIME, WALL_CLOCK, Register, bits_of_names
from workbench.core.outcome import Becomes


class Source(NamedTuple):
    """What was read: a text of a project, at a version or commit, and what it says."""

    project: str
    at: str  #: a version, or a commit's first twelve digits
    where: str  #: a file and its functions, or a pull request or issue
    says: str


@dataclass(frozen=True)
class Vmm:
    """A VMM: its ``name`` and ``title``, and the ``sources`` of what it does.

    ``becomes``: what becomes of the machine when an entry is refused. ``skips``: the VMM leaves out the refused entry
    and writes those after it. ``order``: the registers that it carries, in the order in which it restores them.
    ``only_offered``: of these, those that CPUID offers to the vCPU, and those of ``always``.
    """

    name: str
    title: str
    becomes: Becomes
    sources: tuple[Source, ...]
    skips: bool = False
    order: tuple[Register, ...] = QEMU_ORDER
    only_offered: bool = False
    always: tuple[Register, ...] = ()

    def ends(self, refused: int) -> bool:
        """Tell whether the machine does not run on this VMM's host, where ``refused`` entries were refused."""
        return bool(refused) and self.becomes.is_end

    def carries(self, one: Register, offered: Collection[int]) -> bool:
        """Tell whether a register is carried of a vCPU that was ``offered`` these bits of leaf 0x40000001 EAX."""
        bits = bits_of_names(one)
        return not self.only_offered or one in self.always or not bits or not bits.isdisjoint(offered)

    def registers(self, offered: Collection[int]) -> tuple[Register, ...]:
        """Return KVM's registers that it carries of such a vCPU, in order."""
        return tuple(one for one in self.order if self.carries(one, offered))

    def __repr__(self) -> str:
        return f"<VMM {self.name}>"


#: What events assume that name no VMM: the list of the vCPU ends at the refused entry, and the machine goes on. It has
#: QEMU's list, all of it.
STOPS_SHORT = Vmm(
    "stops-short", "VMM ignores the count", Becomes.LESS,
    (
        Source("cloud-hypervisor", "2020", "pull request 1543", "until then, what came after a register that KVM could "
               "not read or write was not saved or restored, and nobody looked at the count"),
        Source("Firecracker", "2022", "pull request 3164", "until then, the number of registers set was not checked"),
        Source("nanvix", "2026", "pull request 1495, a review", "its first version took a part of a list for success"),
    ),
)  # fmt: skip

_QEMU = (
    Source("QEMU", "5f992102383e", "target/i386/kvm/kvm.c, kvm_buf_set_msrs",
           "setting: error_report of the entry at which KVM stopped, then an assertion that all were written"),
    Source("QEMU", "5f992102383e", "target/i386/kvm/kvm.c, kvm_put_msrs",
           "the list and its order: the clocks, and each further register only if FEAT_KVM has its bit"),
    Source("Linux", "5bb9ac186512", "its message, a log",
           "seen: -cpu host,-kvmclock,kvm-pv-enforce-cpuid, \"failed to set MSR 0x12 to 0x0\", and the assertion"),
)  # fmt: skip
_QEMU_10 = (
    *_QEMU,
    Source("QEMU", "10.0", "target/i386/kvm/kvm.c, kvm_put_msrs and kvm_get_msrs, by \"target/i386/kvm: Only "
           "save/load kvmclock MSRs when kvmclock enabled\" (pull request of 10 January 2025)",
           "the clocks only if FEAT_KVM has bit 0 or bit 3"),
)  # fmt: skip
_CLOUD_HYPERVISOR = (
    Source("cloud-hypervisor", "2be0fb31339b", "hypervisor/src/kvm/mod.rs, set_state",
           "setting: warns \"Detected faulty MSR ... while setting MSRs\", and writes the list from the next entry on"),
    Source("cloud-hypervisor", "2be0fb31339b", "hypervisor/src/kvm/mod.rs, state",
           "reading: the same, \"... while getting MSRs\""),
    Source("cloud-hypervisor", "2be0fb31339b", "hypervisor/src/kvm/mod.rs, create_vm (get_msr_list)",
           "the list is KVM_GET_MSR_INDEX_LIST, whole and in its order"),
    Source("virt-pvm/linux", "2024", "issue 2, a log",
           "seen: 0x4b564d02 and 0x4b564d04 were refused while a guest was restored, and it was started all the same"),
)  # fmt: skip
_FIRECRACKER = (
    Source("Firecracker", "b245cb44dd04", "src/vmm/src/arch/x86_64/vcpu.rs, restore_state",
           "setting: error VcpuSetMsrsIncomplete if fewer were written, so that the snapshot is not loaded; several "
           "lists, one after the other, the LAPIC before them"),
    Source("Firecracker", "97b5eb04fea9", "src/vmm/src/vstate/vcpu/x86_64.rs, restore_state", "the same, earlier"),
    Source("Firecracker", "b245cb44dd04", "src/vmm/src/arch/x86_64/vcpu.rs, get_msr_chunk",
           "reading: error VcpuGetMsr if fewer were read, so that there is no snapshot"),
    Source("Firecracker", "643349ad293f", "src/vmm/src/arch/x86_64/msr.rs, get_msrs_to_save, SERIALIZABLE_MSR_RANGES",
           "the list is KVM_GET_MSR_INDEX_LIST, in its order, without the old numbers of the clocks and ASYNC_PF_ACK"),
    Source("Firecracker", "2026", "pull request 5738", "all of KVM's own range, ASYNC_PF_ACK included"),
)  # fmt: skip

#: By name: VMMs whose source was read. A further one is an entry here.
VMMS = {
    vmm.name: vmm
    for vmm in (
        Vmm("qemu", "QEMU", Becomes.ABORTS, _QEMU_10, only_offered=True),
        Vmm("cloud-hypervisor", "cloud-hypervisor", Becomes.LESS, _CLOUD_HYPERVISOR, skips=True, order=KVM_ORDER),
        Vmm(
            "firecracker", "Firecracker", Becomes.REFUSED, _FIRECRACKER,
            order=tuple(one for one in KVM_ORDER if one.second_name_of is None),
        ),
        Vmm("qemu-9.2", "QEMU 9.2", Becomes.ABORTS, _QEMU, only_offered=True, always=(SYSTEM_TIME, WALL_CLOCK)),
    )
}  # fmt: skip
QEMU = VMMS["qemu"]
