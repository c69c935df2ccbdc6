"""KVM's paravirtual registers: the numbers of the registers and the meaning of the bits of their values.

Features, protocols and engines all use these definitions. A real KVM has all of these registers, whichever features
a scenario selects. A feature names its registers (``Feature.registers``); a feature with a register that KVM does not
have defines a :class:`Register` in its own file. The protocol defines what the host *does* when one is written.

Sources: Linux 6.12 arch/x86/include/uapi/asm/kvm_para.h, Documentation/virt/kvm/x86/msr.rst, arch/x86/kvm/x86.c and
lapic.c; QEMU 7.2 target/i386/kvm/kvm.c (kvm_put_msrs) and machine.c. Which VMM carries which: ``workbench.core.vmm``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

_ALL = (1 << 64) - 1
#: The numbers that KVM reserves for its own registers.
KVM_RANGE = range(0x4B56_4D00, 0x4B56_4E00)


@dataclass(frozen=True)
class Register:
    """A register by which a guest registers a feature. If ``address`` is 0, its value contains no address.

    ``second_name_of`` is set for a register that is a second name of another; the bits of both mean the same.
    """

    name: str  #: as in MSR_KVM_<name>
    msr: int  #: its number
    cpuid_bit: int | None = None  #: bit of leaf 0x40000001 EAX without which the guest has no such register
    address: int = 0  #: bits that are the area's gpa
    enable: int = 0  #: bits that must all be set for the host to use the address
    reserved: int = 0  #: bits that must be 0, or the write is #GP
    gates: tuple[tuple[int, int], ...] = ()  #: (bit of the value, CPUID bit it needs); without it the write is #GP
    touches: int = 0  #: bytes of the area that the host reads or writes
    initial: int = 0  #: its value after creation
    wire: int = 8  #: bytes in the VMM's migration stream, including the framing of the value
    always_sent: bool = False  #: a migration sends it even if it holds its initial value
    second_name_of: int | None = None
    keeps_refused: bool = False  #: it holds a value whose address was refused
    in_cache: bool = False  #: KVM's address is in a gfn_to_hva_cache, which a refusal spoils (core.address_cache)

    @cached_property
    def cell(self) -> int:
        """The number under which the host keeps the value: one for both names of a register."""
        return self.msr if self.second_name_of is None else self.second_name_of

    @property
    def granule(self) -> int:
        """Alignment in bytes of the addresses that the value can hold and the host accepts (0: it holds none)."""
        usable = self.address & ~self.reserved
        return usable & -usable

    @property
    def cpuid_bits(self) -> frozenset[int]:
        """The bits of leaf 0x40000001 EAX on which the register, or bits of its value, depend."""
        own = frozenset() if self.cpuid_bit is None else frozenset({self.cpuid_bit})
        return own.union(needed for _, needed in self.gates)

    def address_in(self, value: int) -> int | None:
        """Return the gpa in ``value`` if the value enables its use; otherwise None."""
        if not self.address or not value or value & self.enable != self.enable:
            return None
        return value & self.address

    def is_allowed(self, value: int) -> bool:
        """Tell whether all reserved bits of ``value`` are 0."""
        return not value & self.reserved


SYSTEM_TIME_NEW = Register(
    "SYSTEM_TIME_NEW", 0x4B56_4D01, 3, address=_ALL & ~1, enable=1, touches=32, always_sent=True
)
SYSTEM_TIME = replace(SYSTEM_TIME_NEW, name="SYSTEM_TIME", msr=0x12, cpuid_bit=0, second_name_of=0x4B56_4D01)
WALL_CLOCK_NEW = Register("WALL_CLOCK_NEW", 0x4B56_4D00, 3, address=_ALL, touches=12, always_sent=True)
WALL_CLOCK = replace(WALL_CLOCK_NEW, name="WALL_CLOCK", msr=0x11, cpuid_bit=0, second_name_of=0x4B56_4D00)
STEAL_TIME = Register(
    "STEAL_TIME", 0x4B56_4D03, 5, address=_ALL & ~0x3F, enable=1, reserved=0x3E, touches=64, wire=32
)
PV_EOI_EN = Register(
    "PV_EOI_EN", 0x4B56_4D04, 6, address=_ALL & ~1, enable=1, reserved=2, touches=1, wire=34, in_cache=True
)  # fmt: skip
POLL_CONTROL = Register("POLL_CONTROL", 0x4B56_4D05, 12, reserved=_ALL & ~1, initial=1, wire=34)

APF_DELIVER_AS_VMEXIT, APF_DELIVER_AS_INT = 1 << 2, 1 << 3
ASYNC_PF_EN = Register(
    "ASYNC_PF_EN", 0x4B56_4D02, 4, address=_ALL & ~0x3F, enable=1 | APF_DELIVER_AS_INT, reserved=0x30,
    gates=((APF_DELIVER_AS_VMEXIT, 10), (APF_DELIVER_AS_INT, 14)), touches=8, wire=30, keeps_refused=True,
    in_cache=True,
)  # fmt: skip
#: What Linux writes to ASYNC_PF_INT (arch/x86/include/asm/irq_vectors.h).
HYPERVISOR_CALLBACK_VECTOR = 0xF3
#: Used together with ASYNC_PF_EN: the interrupt vector, and the register to acknowledge a token.
ASYNC_PF_INT = Register("ASYNC_PF_INT", 0x4B56_4D06, 14, reserved=_ALL & ~0xFF, wire=34)
ASYNC_PF_ACK = Register("ASYNC_PF_ACK", 0x4B56_4D07, 14, wire=0)
#: KVM does not serve this register itself; a VMM may ask for the exit and serve it.
MIGRATION_CONTROL = Register("MIGRATION_CONTROL", 0x4B56_4D08, 17, wire=0)

#: Registers by feature: first the one that takes its address or value, then second names and companions.
KVM_REGISTERS: Mapping[str, tuple[Register, ...]] = {
    "kvmclock": (SYSTEM_TIME_NEW, SYSTEM_TIME),
    "wall_clock": (WALL_CLOCK_NEW, WALL_CLOCK),
    "steal_time": (STEAL_TIME,),
    "pv_eoi": (PV_EOI_EN,),
    "poll_control": (POLL_CONTROL,),
    "async_pf": (ASYNC_PF_EN, ASYNC_PF_INT, ASYNC_PF_ACK),
    "migration_control": (MIGRATION_CONTROL,),
}
KVM_MSRS = frozenset(one.msr for several in KVM_REGISTERS.values() for one in several)
#: The order in which QEMU restores: the clocks by their second names, ASYNC_PF_INT before ASYNC_PF_EN.
QEMU_ORDER = (SYSTEM_TIME, WALL_CLOCK, ASYNC_PF_INT, ASYNC_PF_EN, PV_EOI_EN, STEAL_TIME, POLL_CONTROL)
#: The order of KVM_GET_MSR_INDEX_LIST (Linux arch/x86/kvm/x86.c, emulated_msrs_all); a clock is in it by both numbers.
KVM_ORDER = (
    SYSTEM_TIME, WALL_CLOCK, SYSTEM_TIME_NEW, WALL_CLOCK_NEW, ASYNC_PF_EN, STEAL_TIME, PV_EOI_EN, ASYNC_PF_INT,
    ASYNC_PF_ACK, POLL_CONTROL,
)  # fmt: skip


def bits_of_names(one: Register) -> frozenset[int]:
    """Return the bits of leaf 0x40000001 EAX that offer a register, by this number or by its other one."""
    names = (each for several in KVM_REGISTERS.values() for each in several if each.cell == one.cell)
    return frozenset(each.cpuid_bit for each in (one, *names) if each.cpuid_bit is not None)
