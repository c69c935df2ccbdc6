"""The contract of a protocol, guest side and host side: how the host learns of an area and forgets it."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Literal, NamedTuple

from workbench.clayout.layout import Struct
from workbench.core.contracts.feature import Feature
from workbench.core.host_state import DERIVED, VM, Key, area, pending, stop_news
from workbench.core.hypercalls import KVM_ENOSYS
from workbench.core.outcome import ACCEPTED, UNKNOWN
from workbench.core.rules.returned import wrap_methods
from workbench.core.steps import Get, Now, Program, Set
from workbench.core.vcpu import Vcpu
from workbench.errors import not_known


class StateEntry(NamedTuple):
    """One piece of host state that is lost unless a migration carries it."""

    cpu: int  #: vCPU index, or host_state.VM
    name: str
    entry_bytes: int  #: in the interface that reads and writes it (kvm_msr_entry: 16)
    wire_bytes: int  #: in the VMM's migration stream
    interface: str  #: the ioctl that carries it, or "none" where a new one is needed
    architected: bool  #: visible in a register that the guest can read
    carried: bool  #: a migration carries it with the interfaces that exist


class Area(NamedTuple):
    """What a guest registers: ``feature`` at ``gpa``, for the vCPU with this record (or, by its scope, for the VM)."""

    cpu: Vcpu
    feature: Feature
    gpa: int


class IoRange(NamedTuple):
    """Guest-physical addresses, or I/O ports, at which a device of the design answers: [start, start + size)."""

    start: int
    size: int
    served_by: Literal["user", "kernel"] = "user"  #: the VMM, or KVM (KVM_IOEVENTFD, an in-kernel device)


class ControlBits(NamedTuple):
    """The bits beside the address in what the guest passes: those that must be 1 for it to be used, and must be 0.

    ``gated``: (bit, CPUID bit) each; the bit must be 0 where CPUID hides the other one and the host enforces it.
    """

    required: int = 0
    forbidden: int = 0
    gated: tuple[tuple[int, int], ...] = ()


class Protocol:
    """How the host learns of an area, and forgets it: guest side and host side of one design.

    Guest side (``register``, ``unregister``) and host side (``on_wrmsr``, ``on_hypercall``, ``on_init``,
    ``on_entry``, ``save``, ``restore`` ...) are generators of steps. Only ``register`` must be written, and the handler
    of whatever the design claims; everything else has a default, which describes a design without that operation.
    """

    name: ClassVar[str]
    title: ClassVar[str] = ""
    source: ClassVar[str] = ""  #: for lists: where the design comes from
    own_features: ClassVar[tuple[str, ...]] = ()  #: the features of its own ABI, which it carries if none is named
    descriptor: ClassVar[Struct | None] = None  #: the struct that the guest passes in memory, at ``cpu.descriptor``
    address_field: ClassVar[str] = ""  #: the field of ``descriptor`` that holds the area's address; "": the first one
    msrs: ClassVar[frozenset[int]] = frozenset()  #: the registers that this protocol claims
    hypercalls: ClassVar[frozenset[int]] = frozenset()  #: the hypercalls that it claims, by number
    mmio: ClassVar[tuple[IoRange, ...]] = ()  #: the guest-physical addresses of its devices; no RAM may be there
    ports: ClassVar[tuple[IoRange, ...]] = ()  #: the I/O ports of its devices
    host_memory: ClassVar[int] = 0  #: bytes for each vCPU, and for the VM, that belong to the host: Vcpu.host_memory
    places_areas: ClassVar[bool] = False  #: the host chooses where an area is: ``register`` returns AcceptedAt
    batch: ClassVar[Literal["none", "vcpu", "vm"]] = "none"  #: whose areas one ``register_all`` of a booting CPU takes
    for_others: ClassVar[bool] = False  #: a vCPU can register and revoke for another one
    call_instruction: ClassVar[str] = "VMCALL"  #: for texts: HVC, SMC, ECALL, "sc 1", DIAG ...
    #: the answer to a hypercall that nobody claims: an int, or a tuple where handlers answer with several registers
    unknown_hypercall: ClassVar[int | tuple[int, ...]] = -KVM_ENOSYS
    native: ClassVar[Mapping[str, int]] = {}  #: feature -> KVM's own register that serves it
    deflected: ClassVar[frozenset[int]] = frozenset()  #: those of ``msrs`` that a real KVM must leave to this class
    mitigations_known: ClassVar[Mapping[str, str]] = {}  #: name -> one line about what it changes
    #: other readings of what the design's source leaves open: name -> one line; set by name, like a mitigation
    readings_known: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, **arguments: Any) -> None:
        """What the methods return is checked (``core.rules.returned``), and some claims follow from others.

        By default, a real KVM leaves all registers of the class to the host side written in it.
        ``native`` is not inherited: a variation of KVM's own protocol has a host side that KVM does not have.
        """
        super().__init_subclass__(**arguments)
        wrap_methods(cls)
        said = vars(cls)
        if "native" not in said:
            cls.native = {}
        if "deflected" not in said:
            cls.deflected = frozenset() if cls.native else cls.msrs

    def __init__(self, features: Sequence[Feature], mitigations: Iterable[str] = ()) -> None:
        self.features = tuple(features)
        self.by_name = {feature.name: feature for feature in self.features}
        self.mitigations = frozenset(mitigations)  #: and readings: what is switched on
        if unknown := sorted(self.mitigations - set(self.switches())):
            said = f"protocol {self.name} has no mitigation {unknown[0]!r}"
            raise not_known(said, unknown[0], self.switches())

    @classmethod
    def switches(cls) -> dict[str, str]:
        """Return all that can be switched on by name: mitigations, and other readings of the source."""
        return {**cls.mitigations_known, **cls.readings_known}

    @property
    def answers_itself(self) -> bool:
        """Whether, on a real KVM, code of this class answers anything; otherwise all is KVM's own."""
        return bool(self.deflected or self.hypercalls or self.mmio or self.ports)

    # -- the guest's side --------------------------------------------------------------------------

    def supports(self, feature: Feature) -> bool:
        """Tell whether this design can express ``feature`` at all.

        Identify features by their ``name``: a hostile guest uses resized copies, and copies under other names.
        """
        return True

    def prepare(self, cpu: Vcpu) -> Program:
        """Guest: what a kernel does once on each CPU that comes up, before anything else of the design.

        Default: nothing.
        """
        return
        yield

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """Guest: register ``feature`` at ``gpa``; return what the guest concludes: ACCEPTED, REFUSED or AcceptedAt.

        With ``for_others``, the program may run on another vCPU than ``cpu``, whose area it is.
        """
        raise NotImplementedError(f"{type(self).__name__}.register must be written")

    def register_all(self, cpu: Vcpu, areas: Sequence[Area]) -> Program:
        """Guest: register all ``areas`` in one go, on ``cpu``; return a tuple of what the guest concludes of each.

        Called if ``batch`` is set: for the areas of a booting CPU, or by the boot CPU for those of the VM. Default: one
        after the other.
        """
        answers: tuple[Any, ...] = ()
        for own in areas:
            answers += ((yield from self.register(*own)),)
        return answers

    def confirm(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """Guest: read back whether ``feature`` is registered at ``gpa``: ACCEPTED or REFUSED; None: it cannot be told.

        Default: the design shows the guest nothing.
        """
        return None
        yield

    def acknowledge(self, cpu: Vcpu, feature: Feature) -> Program:
        """Guest: tell the host that the event in the area of ``feature`` is taken, so that the next one may come.

        Default: the design has no call for it; the host looks at the area.
        """
        return
        yield

    def control_bits(self, feature: Feature) -> ControlBits:
        """Return the control bits of a registration of ``feature``. Default: the design has none.

        Some events register with a bit that must be 0, others without one that must be 1, or with
        one that CPUID hides; no host may serve that.
        """
        return ControlBits()

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """Guest: revoke the registration of ``feature``; REFUSED says that the guest knows it is still registered.

        Default: the design has no way to do it, and the guest goes on without.
        """
        return ACCEPTED
        yield

    def revoke_all(self, cpu: Vcpu) -> Program:
        """Guest: revoke all areas that an earlier kernel may have registered. A kernel does so when a CPU comes up.

        Default: the design has no call for it.
        """
        return
        yield

    @property
    def revokes_everything(self) -> bool:
        """Whether one CPU can revoke the areas of all. If so, a kernel that ends stops the others and does it."""
        return False

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: revoke every area of the VM, including those of CPUs that are stopped.

        Default: the design has no call for it.
        """
        return
        yield

    # -- the host's side ---------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        """Host: the guest (or the VMM, if ``host_initiated``) writes ``msr`` of ``msrs``; return an Outcome."""
        raise NotImplementedError(f"{type(self).__name__}.on_wrmsr must be written")

    def on_rdmsr(self, cpu: Vcpu, msr: int, *, host_initiated: bool = False) -> Program:
        """Host: the guest or the VMM reads ``msr``; return an int or an Outcome."""
        return UNKNOWN
        yield

    def on_hypercall(self, cpu: Vcpu, number: int, arguments: tuple[int, ...]) -> Program:
        """Host: the guest makes a hypercall of ``hypercalls``; return its answer: an int, a tuple of ints, or UNKNOWN.

        KVM's handler comes first; yield ToUser to have the VMM do the rest.
        """
        raise NotImplementedError(f"{type(self).__name__}.on_hypercall must be written")

    def on_mmio_read(self, cpu: Vcpu, gpa: int, size: int) -> Program:
        """Host: the guest reads ``size`` bytes of a device at ``gpa``; return an int. Default: 0."""
        return 0
        yield

    def on_mmio_write(self, cpu: Vcpu, gpa: int, value: int, size: int) -> Program:
        """Host: the guest writes ``value`` to a device at ``gpa``; returns nothing."""
        raise NotImplementedError(f"{type(self).__name__}.on_mmio_write must be written")

    def on_pio_read(self, cpu: Vcpu, port: int, size: int) -> Program:
        """Host: the guest reads ``size`` bytes from an I/O port; return an int. Default: 0."""
        return 0
        yield

    def on_pio_write(self, cpu: Vcpu, port: int, value: int, size: int) -> Program:
        """Host: the guest writes ``value`` to an I/O port; returns nothing."""
        raise NotImplementedError(f"{type(self).__name__}.on_pio_write must be written")

    def on_init(self, cpu: Vcpu) -> Program:
        """Host: the vCPU receives INIT. Default: the design says nothing about INIT, and nothing changes."""
        return
        yield

    def on_guest_stopped(self, cpu: Vcpu) -> Program:
        """Host: the VMM says that the guest was stopped, before it runs again; return whether the host accepts it.

        Default, as in KVM (KVM_KVMCLOCK_CTRL): if an area is served whose payload has a flag for it
        (``Feature.stop_flag``), its next update sets the flag; if not, the host refuses.
        """
        accepted = False
        for feature in self.features:
            if feature.stop_flag is not None and (yield Get(area(cpu.index, feature.name))) is not None:
                yield Set(stop_news(cpu.index, feature.name), True)
                yield Set(pending(cpu.index, feature.name), True)
                accepted = True
        return accepted

    def on_clock_set(self, cpu: Vcpu) -> Program:
        """Host: the VMM has set the clock of the VM. Called for each vCPU.

        Default, as in KVM (KVM_SET_CLOCK): payloads that are written on request are due again.
        """
        for feature in self.features:
            if feature.update_when == "request":
                yield Set(pending(cpu.index, feature.name), True)

    def on_entry(self, cpu: Vcpu) -> Program:
        """Host: the vCPU is about to enter the guest; deliver the payload updates that are due."""
        for feature in self.features:
            if feature.update_when == "entry" or (
                feature.update_when == "request" and (yield Get(pending(cpu.index, feature.name)))
            ):
                yield from self.deliver(cpu, feature)

    def deliver(self, cpu: Vcpu, feature: Feature) -> Program:
        """Host: write the payload of ``feature`` once, at the address that the host has for it.

        A requested update stays due until it arrives: an area outside every memslot is written when a memslot appears
        there (Linux: with the next update of any kind, virt/kvm/pfncache.c kvm_gpc_refresh).
        """
        owner = cpu.index if feature.scope == "vcpu" else VM
        gpa = yield Get(area(owner, feature.name))
        failed = gpa is not None and (yield from feature.update(cpu.index, gpa, (yield Now()))) is False
        if feature.update_when == "request" and not failed:
            yield Set(pending(cpu.index, feature.name), None)

    def serving(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        """Return the address at which the host serves ``feature`` of ``owner``, by its ``entries``; None if nowhere.

        ``gpa`` is the address that the guest believes; a design that keeps the value in a register and serves no
        memory for it returns this address.
        """
        return entries.get(area(owner, feature.name))

    def named(self, entries: Mapping[Any, Any], owner: int, feature: Feature, gpa: int) -> int | None:
        """Return the address of ``feature`` that the registration state names: what a migration would carry.

        It must be the one at which the host serves the area. Default: the design keeps no other state.
        """
        return self.serving(entries, owner, feature, gpa)

    # -- live migration ----------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: return the state that the existing interfaces carry, as a tuple. Default: nothing.

        One item for each register or area, in the order of the restore. An item must contain the address as a number,
        with control bits in its lowest bits, because some events reorder the items or replace an address.
        """
        return ()
        yield

    def vmm_keeps(self, cpus: Sequence[Vcpu]) -> Program:
        """VMM: return the registrations that it serves itself, as items for ``restore``; default: none.

        It still has them when the host's kernel is replaced under it, whether or not a migration carries them.
        """
        return ()
        yield

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        """VMM: restore the items of ``saved`` on the destination, in their order.

        Return how many the host refused; None: it refuses none (``workbench.core.restoring.written`` does both). What
        becomes of the machine then depends on ``cpu.host.vmm``.
        """
        return
        yield

    def state(self, entries: Mapping[Key, Any], cpus: Sequence[Vcpu]) -> list[StateEntry]:
        """Return which of the host's ``entries`` are registration state, and how a migration carries them.

        Default: every entry that is not derived is 8 bytes that no existing interface carries.
        """
        return [
            StateEntry(key.cpu, f"{key.kind} {key.name}", 8, 8, "none", architected=False, carried=False)
            for key in sorted(entries, key=lambda key: (key.cpu, key.kind, str(key.name)))
            if key.kind not in DERIVED
        ]

    def __repr__(self) -> str:
        extra = "".join(f" +{name}" for name in sorted(self.mitigations))
        return f"<protocol {self.name}{extra}>"
