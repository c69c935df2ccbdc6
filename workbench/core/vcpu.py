"""The vCPU record that programs and handlers receive: the configuration of a virtual CPU, immutable.

When the configuration changes (CPUID is set, the machine moves to another host), the machine makes a new record, and
the next exit is served with that one.
"""

from dataclasses import dataclass, replace
from typing import Any

from workbench.clayout.abi import Abi
from workbench.core.kvm_registers import Register
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.errors import WorkbenchError

#: The most vCPUs of a machine.
MAX_VCPUS = 4096

#: CPUID leaf 0x40000000: EBX, ECX, EDX spell "KVMKVMKVM\0\0\0" (Linux arch/x86/include/uapi/asm/kvm_para.h).
KVM_SIGNATURE = b"KVMKVMKVM\0\0\0"
KVM_CPUID_SIGNATURE = 0x4000_0000
KVM_CPUID_FEATURES = 0x4000_0001

#: KVM_GET_SUPPORTED_CPUID 0x40000001.EAX on Linux 6.12: bits 15 to 17 are left to user space.
KVM_SUPPORTED = frozenset({0, 1, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 24})

#: The fields of a vCPU's record that its VMM sets.
SET_BY_VMM = frozenset(("cpuid", "enforce_cpuid"))


@dataclass(frozen=True)
class Host:
    """The configuration of a host that a guest can notice.

    ``knows_protocol``: False means a host older than the protocol. ``ignore_msrs``: kvm.ignore_msrs=1, under which
    accesses to unknown registers have no effect and no error. ``irqchip``: the LAPIC is in the kernel. ``user_msrs``:
    the VMM asked for exits on unknown registers (KVM_CAP_X86_USER_SPACE_MSR) and serves these. ``vmm``: that VMM.
    """

    knows_protocol: bool = True
    ignore_msrs: bool = False
    irqchip: bool = True
    user_msrs: frozenset[int] = frozenset()
    vmm: Vmm = STOPS_SHORT


@dataclass(frozen=True)
class Vcpu:
    """One virtual CPU: ``index``, the gpa of its ``descriptor`` scratch, its ABI, privilege and CPUID.

    ``host_memory``, ``vm_memory``: where the host's memory for this vCPU and for the VM begins (Protocol.host_memory).
    """

    index: int
    descriptor: int = 0
    abi: Abi = Abi.X86_64
    cpl: int = 0
    cpuid: frozenset[int] = KVM_SUPPORTED
    enforce_cpuid: bool = False
    host: Host = Host()
    host_memory: int = 0
    vm_memory: int = 0

    def may_use(self, bit: int | None) -> bool:
        """Tell whether this vCPU may use a feature: its CPUID bit matters only if enforcement is on."""
        return bit is None or not self.enforce_cpuid or bit in self.cpuid

    def is_carried(self, one: Register) -> bool:
        """Tell whether the VMM of this vCPU's host carries a register of it when it saves and restores."""
        return self.host.vmm.carries(one, self.cpuid)

    def carried(self) -> tuple[int, ...]:
        """Return the numbers of KVM's registers that this VMM carries, in order."""
        return tuple(one.msr for one in self.host.vmm.registers(self.cpuid))

    def but(self, **changes: Any) -> "Vcpu":
        """Return this record with ``changes``."""
        return replace(self, **changes)

    def cpuid_leaf(self, leaf: int) -> tuple[int, int, int, int]:
        """Return (EAX, EBX, ECX, EDX) of a leaf; raise WorkbenchError for one that KVM does not define."""
        if leaf == KVM_CPUID_SIGNATURE:
            words = [int.from_bytes(KVM_SIGNATURE[at : at + 4], "little") for at in (0, 4, 8)]
            return KVM_CPUID_FEATURES, words[0], words[1], words[2]
        if leaf == KVM_CPUID_FEATURES:
            return sum(1 << bit for bit in self.cpuid), 0, 0, 0
        raise WorkbenchError(
            f"CPUID leaf {leaf:#x} is not modelled; known: {KVM_CPUID_SIGNATURE:#x}, {KVM_CPUID_FEATURES:#x}"
        )
