"""A scenario: a protocol, features, vCPUs and their host, the addresses of all areas, and the fate of an area.

A scenario holds no state of the run: engines run its programs, and hand back :class:`Evidence` for each
area, from which :func:`fate_of` says in one word what happened.
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
    """Ghost: where the guest believes ``feature`` of ``owner`` to be registered (value: gpa)."""
    return Key("believes", owner, feature)


def asked(owner: int, feature: str) -> Key:
    """Ghost: what the guest concluded when it last asked (value: Answer)."""
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
        """The memslots with which every machine begins: low memory, and one for each kernel generation."""
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
        """Who has an area of ``feature``: every vCPU, or the VM."""
        return (VM,) if feature.scope == "vm" else range(self.vcpus)

    def unit_at(self, gpa: int) -> Unit | None:
        """Return the unit of one of the scenario's kernels that holds ``gpa``, or None."""
        unit = self.addresses.unit_at(gpa)
        return unit if unit is not None and unit.generation < GENERATIONS else None

    # -- guest programs every kernel needs -------------------------------------------------------------

    def enrol(self, cpu: Vcpu, feature: Feature, generation: int, gpa: int | None = None) -> Program:
        """Guest: prepare an area, register it, and note what the guest now believes; return the Answer.

        A guest that is told no goes on believing what it believed before: a refusal changes nothing.
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
        """Guest: unregister ``feature`` and no longer believe in it."""
        unit = self.addresses.area(generation, cpu.index, feature)
        yield from self.protocol.unregister(cpu, feature, self.addresses.gpa(unit))
        yield Note(believes(unit.cpu, feature.name), None)


class Evidence(NamedTuple):
    """What is known of one area after an event; every engine can find this out by its own means."""

    supported: bool
    asked: Answer | None  #: what the guest concluded, None if it never asked
    believes: int | None  #: gpa at which the guest believes the area to be registered
    live: int | None  #: gpa at which the host serves it
    arrives: bool  #: the host's writes would arrive (or: the value is in force)
    was_live: bool  #: it was served at some time
    strays: bool  #: the host wrote, or would write, to memory that is somebody else's


def fate_of(evidence: Evidence) -> Fate:
    """Say in one word what became of an area.

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
