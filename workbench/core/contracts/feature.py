"""The contract of a feature: the content of a piece of shared memory, and its ABI."""

from typing import Any, ClassVar, Literal, NamedTuple

from workbench.clayout.layout import Struct
from workbench.core.kvm_registers import KVM_MSRS, Register
from workbench.core.rules.names import FEATURE_NAMES
from workbench.core.steps import Moment, Program

#: On which occasions a run updates a payload: at every entry, when requested, once at registration, on an event
#: (a fault, an interrupt), or never (the guest writes and the host reads). A real host may leave some of these updates
#: out, or make others: ``Feature.counted``.
Update = Literal["entry", "request", "registration", "event", "never"]


class Compared(NamedTuple):
    """How to compare the payload on two hosts; fields that are not named here must be equal.

    Two hosts write the same areas on the same occasions, but not the same numbers.
    """

    version: str | None = None  #: odd while a host writes (u32); it changes at the same steps on both hosts
    free: tuple[str, ...] = ()  #: clocks and counters: may differ at any time
    rewritten: tuple[str, ...] = ()  #: padding that every update overwrites: may differ while only one host has written
    mailbox: str | None = None  #: filled after the guest has taken the last value: equal after the vCPU has entered


#: What the number of updates in a run is for the real host's.
Bound = Literal["exact", "upper bound", "lower bound", "no bound"]


class Counted(NamedTuple):
    """What the number of a payload's updates in a run says about the host that serves this payload in reality.

    A run updates as ``Feature.update_when`` says: at each of its entries, for each request or event. For as many of
    them, the real host makes as many updates (exact), no more (upper bound), no fewer (lower bound), or it may make
    more or fewer (no bound). Read in the source, not measured.
    """

    bound: Bound
    why: str  #: what the real host does, in a sentence without a full stop
    source: str


class Hidden(NamedTuple):
    """State of a feature that Linux keeps in addition to its register's value: read in the source, not measured."""

    state: str
    avoided: str  #: how a migration carries it or does without it
    source: str


class Feature:
    """The purpose and ABI of a piece of shared memory. Subclasses are in small files in ``features/``.

    ``name``, ``title``, ``payload`` and ``size`` must be set; everything else has a default. A feature with
    ``registers`` can also be registered by a register of its own; the first of them takes its address or value.
    """

    name: ClassVar[str]
    title: ClassVar[str]  #: a few words for tables and pictures
    payload: ClassVar[Struct]
    size: ClassVar[int]  #: bytes of the area
    align: ClassVar[int] = 1  #: bytes; as the ABI document requires
    scope: ClassVar[Literal["vcpu", "vm"]] = "vcpu"
    served_by: ClassVar[Literal["kernel", "user"]] = "kernel"  #: the part of the host that serves it
    update_when: ClassVar[Update] = "never"
    registers: ClassVar[tuple[Register, ...]] = ()  #: its registers: the main one, second names, companions
    counters: ClassVar[tuple[str, ...]] = ()  #: fields of the payload that never go back while an area is registered
    stop_flag: ClassVar[tuple[str, int] | None] = None  #: (field of one byte, bit) that says: the guest was stopped
    one_mapping: ClassVar[bool] = False  #: the host writes through a mapping of one page; the next page is another's
    counted: ClassVar[Counted | None] = None  #: what a count of its updates is for the real host's; None: not said
    compared: ClassVar[Compared | None] = None  #: how to compare its payload on two hosts; None: it is not compared
    hidden: ClassVar[Hidden | None] = None  #: state that Linux keeps in addition to its register
    is_value: ClassVar[bool] = False  #: a single value set by the guest; a register can carry it without memory
    guest_value: ClassVar[int] = 0  #: if ``is_value``: the value that Linux writes
    linux_boot: ClassVar[int | None] = None  #: its place in Linux's order at boot; None: not at boot
    linux_teardown: ClassVar[int | None] = None  #: its place in Linux's order of revocation
    source: ClassVar[str] = ""

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Remember the name, so that one that is nearly a feature's can be told.

        ``counted`` is not inherited by a class that has an ``update_when`` of its own.
        """
        super().__init_subclass__(**arguments)
        if isinstance(name := vars(cls).get("name"), str):
            FEATURE_NAMES.add(name)
        if "update_when" in vars(cls) and "counted" not in vars(cls):
            cls.counted = None  # what another host does on other occasions was said of the base class

    @property
    def cpuid_bit(self) -> int | None:
        """The bit of leaf 0x40000001 EAX that offers it; None if there is no such bit."""
        return self.registers[0].cpuid_bit if self.registers else None

    @property
    def count_is(self) -> str:
        """What a count of its updates is for the real host's: a Bound, or "not said"; "none": the host never writes."""
        if self.update_when == "never":
            return "none"
        return "not said" if self.counted is None else self.counted.bound

    @property
    def brings_register(self) -> bool:
        """Whether it has a register that KVM does not have, so that only the workbench's host side can serve it."""
        return bool(self.registers) and self.registers[0].msr not in KVM_MSRS

    def prepare(self, gpa: int) -> Program:
        """Guest: bring the area into the state that the ABI requires before it is registered."""
        return
        yield

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        """Host: write the payload of vCPU ``cpu`` once, by the rules of its ABI.

        Return False if the area could not be written: a requested update then stays due.
        """
        return
        yield

    def read(self, gpa: int) -> Program:
        """Guest: read the payload by the rules of the ABI; return its fields, or None while the guest must wait."""
        return None
        yield

    def __repr__(self) -> str:
        return f"<feature {self.name}>"
