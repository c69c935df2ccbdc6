"""A scenario: a protocol, features, vCPUs and their host, the addresses of all areas, and the fate of an area.

A scenario holds no state of a run. Engines run its programs and return :class:`Evidence` for each area;
:func:`fate_of` derives the area's fate from it.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workbench.clayout.layout import Abi, Layout
from workbench.core.address_map import DESCRIPTOR, GENERATIONS, HOST_BASE, KERNEL_BASE, AddressMap, Region, Unit
from workbench.core.contracts import Feature, Protocol
from workbench.core.contracts.protocol import Area
from workbench.core.host_state import VM, Key
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import ACCEPTED, REFUSED, AcceptedAt, Answer, Fate
from workbench.core.rules.returned import checked
from workbench.core.steps import GUEST, Note, Program, Store
from workbench.core.vcpu import Host, Vcpu
from workbench.errors import WorkbenchError

#: How far above the kernels' memory the pairs of pages begin (Scenario.pairs).
PAIRS_BEGIN = 0x10_0000
#: The kind of the ghost :func:`retaken`; it stays when a kernel ends, until the memory is given away again.
RETAKEN = "retaken"


def believes(owner: int, feature: str) -> Key:
    """Ghost: the address at which the guest believes ``feature`` of ``owner`` to be registered (value: gpa)."""
    return Key("believes", owner, feature)


def asked(owner: int, feature: str) -> Key:
    """Ghost: what the guest concluded from its last registration of ``feature`` (value: Answer)."""
    return Key("asked", owner, feature)


def refused_at(owner: int, feature: str) -> Key:
    """Ghost: the address at which the guest was last refused a registration of ``feature`` of ``owner`` (gpa)."""
    return Key("refused", owner, feature)


def attempts(cpu: int) -> Key:
    """Ghost: how many areas a hostile guest on ``cpu`` has tried to register (value: int)."""
    return Key("attempts", cpu, "areas")


def acknowledges(cpu: int, feature: str) -> Key:
    """Ghost: the guest is about to tell that it has taken an event. It never has a value; the note is what counts."""
    return Key("acknowledges", cpu, feature)


def stop_heard(cpu: int, feature: str) -> Key:
    """Ghost: the guest was stopped, and looked whether it was told so (value: (the host had accepted, it was told))."""
    return Key("stop heard", cpu, feature)


def becomes() -> Key:
    """Ghost: what became of the machine when it was restored, if something was refused (value: Becomes)."""
    return Key("becomes", VM, "machine")


def retaken(unit: Unit) -> Key:
    """Ghost: a kernel has taken memory back that it had given away (value: True)."""
    return Key(RETAKEN, unit.cpu, f"{unit.what} of kernel {unit.generation}")


@dataclass(frozen=True)
class Scenario:
    """A protocol, its features, the vCPUs and their host; addresses follow from these."""

    protocol: Protocol
    features: tuple[Feature, ...]
    vcpus: int = 1
    host: Host = Host()
    abi: Abi = Abi.X86_64
    encrypted: bool = False
    seed: int = 0
    cpuid: frozenset[int] | None = None  #: None: what KVM supports
    rightly_refused: bool = False  #: the host may refuse everything that this guest asks for
    kernel: int = 0  #: the kernel that runs when the event begins: its generation in the address map
    kernels: int = GENERATIONS  #: how many kernels have memory of their own
    retakes: bool = False  #: kernels note what memory they use, because an earlier part of the event may have freed it
    pairs: int = 0  #: pairs of pages, each page in a memslot of its own, above all other memory of the guest
    enforce_cpuid: bool = False  #: what CPUID does not offer does not exist for the guest
    addresses: AddressMap = field(init=False, compare=False)

    def __repr__(self) -> str:
        features = "+".join(feature.name for feature in self.features)
        return f"<scenario {self.protocol!r}, {self.vcpus} vCPU{'s' if self.vcpus > 1 else ''}, {features}>"

    def __post_init__(self) -> None:
        descriptor = self.protocol.descriptor
        size = descriptor.on(self.abi).size if descriptor is not None else 0
        supported = [
            feature for feature in self.features if checked(self.protocol, "supports", self.protocol.supports(feature))
        ]
        addresses = AddressMap(supported, self.vcpus, size, self.protocol.host_memory)
        object.__setattr__(self, "addresses", addresses)
        self._check_devices()

    def cpu(self, index: int, generation: int | None = None) -> Vcpu:
        """Return the record of vCPU ``index`` under the kernel of ``generation``; None: the kernel that runs."""
        has_descriptor = self.protocol.descriptor is not None
        unit = Unit(self.kernel if generation is None else generation, index, DESCRIPTOR)
        at = self.addresses.gpa(unit) if has_descriptor else 0
        record = Vcpu(index, at, self.abi, host=self.host, enforce_cpuid=self.enforce_cpuid)
        if self.addresses.host_block:
            mine, vms = self.addresses.host_memory(index), self.addresses.host_memory(VM)
            record = record.but(host_memory=mine, vm_memory=vms)
        return record if self.cpuid is None else record.but(cpuid=self.cpuid)

    def memslots(self) -> tuple[Region, ...]:
        """The initial memslots of every machine: low memory, one for each kernel, pairs of pages, the host's memory."""
        addresses = self.addresses
        kernels = (Region(addresses.memslot(number), addresses.memslot_size) for number in range(self.kernels))
        hosts = (Region(HOST_BASE, (self.vcpus + 1) * addresses.host_block),) if addresses.host_block else ()
        pages = (self.second_page(index) - PAGE_SIZE + half for index in range(self.pairs) for half in (0, PAGE_SIZE))
        return (Region(0, KERNEL_BASE), *kernels, *(Region(gpa, PAGE_SIZE) for gpa in pages), *hosts)

    def shared_from_start(self) -> Region:
        """The memory of an encrypted guest that was never private: the host's own (its size may be 0)."""
        return Region(HOST_BASE, (self.vcpus + 1) * self.addresses.host_block)

    def _check_devices(self) -> None:
        """Raise WorkbenchError if a device of the protocol is where there is memory: no access would reach it."""
        for device in self.protocol.mmio:
            for slot in self.memslots():
                if device.start < slot.gpa + slot.size and slot.gpa < device.start + device.size:
                    raise WorkbenchError(
                        f"protocol {self.protocol.name}: its device at {device.start:#x}+{device.size:#x} is where the "
                        f"guest has memory ({slot.gpa:#x}+{slot.size:#x}); no access would reach it"
                    )

    def second_page(self, index: int) -> int:
        """Return the gpa of the second page of pair ``index``; the first lies directly below it."""
        return self.end_of_memory + PAIRS_BEGIN + (2 * index + 1) * PAGE_SIZE

    @property
    def end_of_memory(self) -> int:
        """The gpa behind the last memslot."""
        return self.addresses.memslot(self.kernels)

    @property
    def cpus(self) -> tuple[Vcpu, ...]:
        """The records of all vCPUs under the kernel that runs."""
        return tuple(self.cpu(index) for index in range(self.vcpus))

    def supported(self) -> tuple[Feature, ...]:
        """The features that the protocol can express."""
        return tuple(feature for feature in self.features if self.protocol.supports(feature))

    def owners(self, feature: Feature) -> Sequence[int]:
        """The owners of an area of ``feature``: every vCPU, or the VM."""
        return (VM,) if feature.scope == "vm" else range(self.vcpus)

    def unit_at(self, gpa: int) -> Unit | None:
        """Return the unit of one of the scenario's kernels that holds ``gpa``, or None."""
        unit = self.addresses.unit_at(gpa)
        return unit if unit is not None and unit.generation < self.kernels else None

    def descriptor_in(self, step: Any) -> Layout | None:
        """Return the layout of the descriptor whose beginning the guest stores by this (side, step); None if by none.

        A guest may build a descriptor anywhere but in an area, whose bytes are payload.
        """
        if self.protocol.descriptor is None or type(step) is not tuple or len(step) != 2 or step[0] is not GUEST:
            return None
        own = step[1]
        if type(own) is not Store or not isinstance(own.value, bytes):
            return None
        unit, layout = self.addresses.unit_at(own.gpa), self.protocol.descriptor.on(self.abi)
        is_elsewhere = unit is not None and unit.what != DESCRIPTOR
        return None if is_elsewhere or not layout.size // 2 < len(own.value) <= layout.size else layout

    # -- guest programs that every kernel uses ---------------------------------------------------------

    def enrol(self, cpu: Vcpu, feature: Feature, generation: int, gpa: int | None = None) -> Program:
        """Guest: prepare an area, register it, and note what the guest now believes; return the Answer.

        If the registration is refused, the guest's earlier belief stays unchanged, and the address is noted.
        """
        unit = self.addresses.area(generation, cpu.index, feature)
        if self.retakes:
            yield from self._retake(cpu, generation, () if gpa is not None or self.protocol.places_areas else (unit,))
        if gpa is None:
            gpa = self.addresses.gpa(unit)
            if not self.protocol.places_areas:
                yield from feature.prepare(gpa)
        answer = yield from self.protocol.register(cpu, feature, gpa)
        if type(answer) is not Answer:
            checked(self.protocol, "register", answer)
        if isinstance(answer, AcceptedAt):
            gpa, answer = answer.gpa, ACCEPTED
        yield Note(asked(unit.cpu, feature.name), answer)
        noted = refused_at if answer is REFUSED else believes
        yield Note(noted(unit.cpu, feature.name), gpa)
        return answer

    def enrol_all(self, cpu: Vcpu, wanted: Sequence[tuple[Vcpu, Feature]], generation: int) -> Program:
        """Guest: prepare these areas, register all in one go on ``cpu``, and note what the guest believes of each."""
        units = [self.addresses.area(generation, owner.index, feature) for owner, feature in wanted]
        if self.retakes:
            yield from self._retake(cpu, generation, () if self.protocol.places_areas else units)
        areas = tuple(Area(*own, self.addresses.gpa(unit)) for own, unit in zip(wanted, units, strict=True))
        if not self.protocol.places_areas:
            for own in areas:
                yield from own.feature.prepare(own.gpa)
        answers = yield from self.protocol.register_all(cpu, areas)
        if not isinstance(answers, tuple) or len(answers) != len(areas):
            raise WorkbenchError(
                f"{type(self.protocol).__name__}.register_all was given {len(areas)} areas and returned {answers!r}; "
                f"it must return a tuple with what the guest concludes of each: ACCEPTED, REFUSED or AcceptedAt"
            )
        for own, unit, answer in zip(areas, units, answers, strict=True):
            gpa, said = (answer.gpa, ACCEPTED) if isinstance(answer, AcceptedAt) else (own.gpa, answer)
            yield Note(asked(unit.cpu, own.feature.name), said)
            noted = refused_at if said is REFUSED else believes
            yield Note(noted(unit.cpu, own.feature.name), gpa)

    def revoke(self, cpu: Vcpu, feature: Feature, generation: int) -> Program:
        """Guest: unregister ``feature``; unless refused, note that it is no longer registered. Return the Answer."""
        unit = self.addresses.area(generation, cpu.index, feature)
        if self.retakes:
            yield from self._retake(cpu, generation, ())
        answer = yield from self.protocol.unregister(cpu, feature, self.addresses.gpa(unit))
        if answer is not REFUSED:
            yield Note(believes(unit.cpu, feature.name), None)
        return answer

    def look_back(self, cpu: Vcpu, feature: Feature, generation: int) -> Program:
        """Guest: read back whether ``feature`` is registered; if not, note that it is refused; return the Answer."""
        unit = self.addresses.area(generation, cpu.index, feature)
        gpa = self.addresses.gpa(unit)
        answer = yield from self.protocol.confirm(cpu, feature, gpa)
        if answer is REFUSED:
            yield Note(asked(unit.cpu, feature.name), REFUSED)
            yield Note(refused_at(unit.cpu, feature.name), gpa)
            yield Note(believes(unit.cpu, feature.name), None)
        return answer

    def _retake(self, cpu: Vcpu, generation: int, areas: Sequence[Unit]) -> Program:
        """Guest: the kernel is about to use this CPU's descriptor and these areas, so the memory is its own."""
        if self.protocol.descriptor is not None:
            yield Note(retaken(Unit(generation, cpu.index, DESCRIPTOR)), True)
        for unit in areas:
            yield Note(retaken(unit), True)


class Evidence(NamedTuple):
    """The facts about one area after an event; every engine determines them in its own way."""

    supported: bool
    asked: Answer | None  #: what the guest concluded, None if it never tried to register
    believes: int | None  #: gpa at which the guest believes the area to be registered
    live: int | None  #: gpa at which the host serves it
    arrives: bool  #: the host's writes would arrive (or: the value is in force)
    was_live: bool  #: it was served at some time
    strays: bool  #: the host wrote, or would write, to memory that has a new owner
    ended: bool = False  #: the machine does not run any more


def fate_of(evidence: Evidence) -> Fate:
    """Return the fate of an area.

    If guest and host name different addresses, the area is stale: the host writes to memory that was given up. If the
    host serves the right address but cannot write there, the area is silent.
    """
    if not evidence.supported:
        return Fate.UNSUPPORTED
    if evidence.ended:
        return Fate.ENDED
    if evidence.strays:
        return Fate.STALE
    if evidence.believes is None:
        if evidence.live is not None:
            return Fate.STALE
        return Fate.REFUSED if evidence.asked is REFUSED else Fate.RELEASED
    if evidence.live is None:
        return Fate.LOST if evidence.was_live else Fate.SILENT
    if not evidence.arrives:
        return Fate.SILENT
    return Fate.REGISTERED if evidence.live == evidence.believes else Fate.STALE


def beliefs(notes: Mapping[Hashable, object]) -> dict[tuple[int, str], int]:
    """Return {(owner, feature): gpa} of all areas that the guest believes to be registered."""
    return {
        (key.cpu, str(key.name)): int(value)  # type: ignore[call-overload]
        for key, value in notes.items()
        if isinstance(key, Key) and key.kind == "believes"
    }
