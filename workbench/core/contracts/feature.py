"""The contract of a feature: what is in a piece of shared memory, and its ABI."""

from typing import ClassVar, Literal, NamedTuple

from workbench.clayout.layout import Struct
from workbench.core.kvm_registers import KVM_MSRS, Register
from workbench.core.steps import Moment, Program

#: When the host writes a payload: at every entry, when requested, once at registration, on an event
#: (a fault, an interrupt), or never (the guest writes and the host reads).
Update = Literal["entry", "request", "registration", "event", "never"]


class Compared(NamedTuple):
    """How the payload on two hosts can be compared: fields by their names; what is not named must be equal.

    Two hosts write the same areas on the same occasions, but not the same numbers.
    """

    version: str | None = None  #: odd while a host writes (u32): the hosts agree on when it moves
    free: tuple[str, ...] = ()  #: clocks and counters: may differ at any time
    rewritten: tuple[str, ...] = ()  #: padding that every update overwrites: differs while one host alone has written
    mailbox: str | None = None  #: filled when the guest has taken what was there: equal once the vCPU has entered


class Hidden(NamedTuple):
    """What Linux keeps of a feature beside its register's value: read in the source, not measured."""

    state: str
    avoided: str  #: how a migration does without it
    source: str


class Feature:
    """What a page of shared memory is for, and its ABI. Subclasses are small files in ``features/``.

    ``name``, ``title``, ``payload`` and ``size`` must be said; everything else has a default. A feature with
    ``registers`` can be had by one register for each feature, too; the first of them takes its address or value.
    """

    name: ClassVar[str]
    title: ClassVar[str]  #: a few words for tables and pictures
    payload: ClassVar[Struct]
    size: ClassVar[int]  #: bytes of the area
    align: ClassVar[int] = 1  #: bytes; what the ABI document asks for
    scope: ClassVar[Literal["vcpu", "vm"]] = "vcpu"
    served_by: ClassVar[Literal["kernel", "user"]] = "kernel"  #: who understands it on the host
    update_when: ClassVar[Update] = "never"
    registers: ClassVar[tuple[Register, ...]] = ()  #: of its own: the main one, second names, companions
    compared: ClassVar[Compared | None] = None  #: its payload on two hosts; None: a host may write what it likes
    hidden: ClassVar[Hidden | None] = None  #: what Linux keeps beside its register
    is_value: ClassVar[bool] = False  #: a value that memory merely carries; a register needs no memory for it
    guest_value: ClassVar[int] = 0  #: of a value feature: what Linux writes
    linux_boot: ClassVar[int | None] = None  #: its place in Linux's order at boot; None: not at boot
    linux_teardown: ClassVar[int | None] = None  #: its place in Linux's order of revocation
    source: ClassVar[str] = ""

    @property
    def cpuid_bit(self) -> int | None:
        """Bit of leaf 0x40000001 EAX that offers it; None if no bit does."""
        return self.registers[0].cpuid_bit if self.registers else None

    @property
    def brings_register(self) -> bool:
        """Whether it has a register that KVM does not have, so that only a host of ours can serve it there."""
        return bool(self.registers) and self.registers[0].msr not in KVM_MSRS

    def prepare(self, gpa: int) -> Program:
        """Guest: bring the area into the state the ABI asks for before it is registered."""
        return
        yield

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: write the payload of vCPU ``cpu`` once, by the rules of its ABI.

        Return False if the area could not be reached: a requested update then stays due.
        """
        return
        yield

    def read(self, gpa: int) -> Program:
        """Guest: return the payload's fields as the ABI says to read them, or None while it must wait."""
        return None
        yield

    def __repr__(self) -> str:
        return f"<feature {self.name}>"
