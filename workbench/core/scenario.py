"""A scenario: a protocol, features, vCPUs and their host, the addresses of all areas, and the fate of an area.

A scenario holds no state of a run. Engines run its programs and return :class:`Evidence` for each area;
:func:`fate_of` derives the area's fate from it.
"""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.clayout.layout import Abi
from workbench.core.address_map import DESCRIPTOR, GENERATIONS, KERNEL_BASE, AddressMap, Region, Unit
from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, Key
from workbench.core.outcome import REFUSED, Answer, Fate
from workbench.core.steps import Note, Program
from workbench.core.vcpu import Host, Vcpu


def believes(owner: int, feature: str) -> Key:
    """Ghost: the address at which the guest believes ``feature`` of ``owner`` to be registered (value: gpa)."""
    return Key("believes", owner, feature)


def asked(owner: int, feature: str) -> Key:
    """Ghost: what the guest concluded from its last registration of ``feature`` (value: Answer)."""
    return Key("asked", owner, feature)


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
    addresses: AddressMap = field(init=False, compare=False)

    def __post_init__(self) -> None:
        descriptor = self.protocol.descriptor
        size = descriptor.on(self.abi).size if descriptor is not None else 0
        supported = [feature for feature in self.features if self.protocol.supports(feature)]
        object.__setattr__(self, "addresses", AddressMap(supported, self.vcpus, size))

    def cpu(self, index: int, generation: int = 0) -> Vcpu:
        """Return the record of vCPU ``index`` under the kernel of ``generation``."""
        has_descriptor = self.protocol.descriptor is not None
        at = self.addresses.gpa(Unit(generation, index, DESCRIPTOR)) if has_descriptor else 0
        record = Vcpu(index, at, self.abi, host=self.host)
        return record if self.cpuid is None else record.but(cpuid=self.cpuid)

    def memslots(self) -> tuple[Region, ...]:
        """The initial memslots of every machine: low memory, and one for each kernel generation."""
        addresses = self.addresses
        kernels = (Region(addresses.memslot(number), addresses.memslot_size) for number in range(GENERATIONS))
        return (Region(0, KERNEL_BASE), *kernels)

    @property
    def cpus(self) -> tuple[Vcpu, ...]:
        """The records of all vCPUs under the first kernel."""
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
        return unit if unit is not None and unit.generation < GENERATIONS else None

    # -- guest programs that every kernel uses ---------------------------------------------------------

    def enrol(self, cpu: Vcpu, feature: Feature, generation: int, gpa: int | None = None) -> Program:
        """Guest: prepare an area, register it, and note what the guest now believes; return the Answer.

        If the registration is refused, the guest's earlier belief stays unchanged.
        """
        unit = self.addresses.area(generation, cpu.index, feature)
        if gpa is None:
            gpa = self.addresses.gpa(unit)
            yield from feature.prepare(gpa)
        answer: Answer = yield from self.protocol.register(cpu, feature, gpa)
        yield Note(asked(unit.cpu, feature.name), answer)
        if answer is not REFUSED:
            yield Note(believes(unit.cpu, feature.name), gpa)
        return answer

    def revoke(self, cpu: Vcpu, feature: Feature, generation: int) -> Program:
        """Guest: unregister ``feature`` and note that it is no longer believed to be registered."""
        unit = self.addresses.area(generation, cpu.index, feature)
        yield from self.protocol.unregister(cpu, feature, self.addresses.gpa(unit))
        yield Note(believes(unit.cpu, feature.name), None)


class Evidence(NamedTuple):
    """The facts about one area after an event; every engine determines them in its own way."""

    supported: bool
    asked: Answer | None  #: what the guest concluded, None if it never tried to register
    believes: int | None  #: gpa at which the guest believes the area to be registered
    live: int | None  #: gpa at which the host serves it
    arrives: bool  #: the host's writes would arrive (or: the value is in force)
    was_live: bool  #: it was served at some time
    strays: bool  #: the host wrote, or would write, to memory that has a new owner


def fate_of(evidence: Evidence) -> Fate:
    """Return the fate of an area.

    If guest and host name different addresses, the area is stale: the host writes to memory that was given up. If the
    host serves the right address but cannot write there, the area is silent.
    """
    if not evidence.supported:
        return Fate.UNSUPPORTED
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
