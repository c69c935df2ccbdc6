"""The areas that a fuzzed sequence registers: the form of each feature's area, and what is followed about one area.

Which bytes are clocks, counters, padding is each feature's own fact (``Feature.compared``).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.clayout.layout import Abi
from workbench.core.contracts import Feature, Update
from workbench.core.contracts.feature import Compared
from workbench.core.kvm_registers import Register
from workbench.core.memory import PAGE_SIZE
from workbench.features import FEATURES

#: Byte ranges of an area, each as first byte and end (exclusive).
Ranges = tuple[tuple[int, int], ...]


class Form(NamedTuple):
    """The layout of one feature's area, as offsets."""

    feature: str
    register: Register
    size: int  #: bytes that a host reads or writes
    version: int | None  #: offset of the u32 version
    own: Ranges  #: of a feature that KVM does not have: what it says of itself is free; all, if it is not compared
    fields: Mapping[str, tuple[int, int]]  #: of the payload, by name
    rewritten: Ranges
    mailbox: Ranges
    written: Ranges  #: all that a host ever writes
    update_when: Update
    one_mapping: bool

    def is_mapped(self, gpa: int) -> bool:
        """Tell whether a host can write an area at ``gpa`` at all."""
        return not self.one_mapping or gpa % PAGE_SIZE + self.size <= PAGE_SIZE


def form_of(feature: Feature) -> Form:
    """Return the form of a feature that has a register for its address."""
    register, compared = feature.registers[0], feature.compared
    layout = feature.payload.on(Abi.X86_64)
    size = register.touches or feature.size
    fields = {one.name: (one.offset, one.offset + one.size) for one in layout.fields}
    version = None if compared is None or compared.version is None else layout.offset_of(compared.version)
    mine = compared or Compared()

    def ranges(names: Iterable[str | None]) -> Ranges:
        return tuple(fields[name] for name in names if name is not None)

    own = ((0, size),) if compared is None else ranges(name for name in mine.free if name != mine.version)
    names = dict.fromkeys((mine.version, mine.mailbox, *mine.free, *mine.rewritten))
    written = ((0, size),) if compared is None else ranges(names)
    return Form(
        feature.name,
        register,
        size,
        version,
        own if feature.brings_register else (),
        fields,
        ranges(mine.rewritten),
        ranges([mine.mailbox]),
        written,
        feature.update_when,
        feature.one_mapping,
    )


#: By every number under which a register takes the address.
FORMS = {
    one.msr: form_of(feature)
    for feature in FEATURES.values()
    if feature.registers and feature.registers[0].address
    for one in feature.registers
    if one.cell == feature.registers[0].msr
}


class Kept(NamedTuple):
    """What a snapshot keeps of an area."""

    seen: tuple[int, int] | None
    loose: bool
    stale_token: str


@dataclass(slots=True)
class Area:
    """One area that was registered at some time in this sequence."""

    form: Form
    gpa: int
    cpus: set[int] = field(default_factory=set)  #: whose registers have named it
    overlaps: Ranges = ()  #: offsets that the hosts of other areas write, too
    has_version: bool = True  #: it has one, and no other area's host writes it
    token_is_own: bool = True  #: no other area's host writes its token
    seen: tuple[int, int] | None = None  #: the versions at the last comparison, (simulator, KVM)
    looked: int = -1  #: the turn of that comparison
    served: bool = False  #: by the simulator's host at the last look
    registered: bool = False  #: since the last comparison
    waiting: set[int] = field(default_factory=set)  #: vCPUs for which it is to be written; they have not entered since
    asked: set[int] = field(default_factory=set)  #: vCPUs whose guest requested a token; they have not entered since
    by_host: bool = False  #: the VMM registered it since the last comparison
    by_guest: bool = False  #: the guest did
    spare: int = 0  #: how many updates since the last comparison KVM need not have made
    delivered: bool = False  #: registered since the last comparison, and its vCPU has entered after that
    missed: bool = False  #: its memory was away when it was to be written; KVM may write it by an update of its own
    early: set[int] = field(default_factory=set)  #: vCPUs whose clock the VMM has put here; they have not entered since
    unsure: int = 0  #: its flags may differ by EARLY_VERSION: 2 until the vCPU has entered, 1 until both hosts write
    loose: bool = False  #: only one host has written it since both did: padding and evenness may differ
    stale_token: str = ""  #: the exclusion by which its token was left out, and nobody has overwritten it since
    kept: Kept | None = None
    end: int = field(init=False)  #: first gpa after the area

    def __post_init__(self) -> None:
        self.end = self.gpa + self.form.size

    @property
    def pages(self) -> range:
        """The page frames that it touches."""
        return range(self.gpa >> 12, (self.end - 1 >> 12) + 1)

    def meet(self, other: "Area") -> None:
        """Note which bytes of this area the host of ``other`` writes, too."""
        theirs = [(low + other.gpa - self.gpa, high + other.gpa - self.gpa) for low, high in other.form.written]
        both = tuple(_common(self.form.written, theirs))
        if not both:
            return
        version = () if self.form.version is None else ((self.form.version, self.form.version + 4),)
        if any(_common(version, both)):
            self.has_version = False
            both = (*both, *version, *self.form.rewritten)  # who has written last is not known
        if any(_common(self.form.mailbox, both)):
            self.token_is_own = False
        self.overlaps = tuple(dict.fromkeys((*self.overlaps, *both)))


def _common(some: Iterable[tuple[int, int]], others: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    others = tuple(others)
    for low, high in some:
        for start, stop in others:
            if low < stop and start < high:
                yield max(low, start), min(high, stop)
