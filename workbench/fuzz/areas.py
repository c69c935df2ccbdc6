"""The areas that a fuzzed sequence registers: the form of each feature's area, and what is followed about one area.

Which bytes are clocks, counters, padding is each feature's own fact (``Feature.compared``).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from workbench.clayout.layout import Abi
from workbench.core.contracts import Feature, Update
from workbench.core.contracts.feature import Compared
from workbench.core.kvm_registers import Register
from workbench.features import FEATURES
from workbench.fuzz.exclusions import everything

#: Byte ranges of an area, each as first byte and end (exclusive).
Ranges = tuple[tuple[int, int], ...]


class Form(NamedTuple):
    """The layout of one feature's area, as offsets."""

    feature: str
    register: Register
    size: int  #: bytes that a host reads or writes
    version: int | None  #: offset of the u32 version
    free: Ranges  #: that follow from rules of their own, or of a feature that is not compared
    fields: Mapping[str, tuple[int, int]]  #: of the payload, by name
    rewritten: Ranges
    mailbox: Ranges
    update_when: Update


def form_of(feature: Feature) -> Form:
    """Return the form of a feature that has a register for its address."""
    register, compared = feature.registers[0], feature.compared
    layout = feature.payload.on(Abi.X86_64)
    size = register.touches or feature.size
    if compared is None:
        return Form(feature.name, register, size, None, ((0, size),), {}, (), (), feature.update_when)

    def ranges(names: Iterable[str]) -> Ranges:
        fields = [layout.field(name) for name in names]
        return tuple((field.offset, field.offset + field.size) for field in fields)

    return Form(
        feature.name,
        register,
        size,
        None if compared.version is None else layout.offset_of(compared.version),
        ranges({*filter(None, [compared.version]), *_free_by_itself(feature, compared)}),
        {one.name: (one.offset, one.offset + one.size) for one in layout.fields},
        ranges(compared.rewritten),
        ranges([compared.mailbox] if compared.mailbox else []),
        feature.update_when,
    )


def _free_by_itself(feature: Feature, compared: Compared) -> tuple[str, ...]:
    """Return the fields in which a feature says that hosts differ, if the exclusions, which are tried, say nothing."""
    is_listed = any(name == feature.name for name, _ in everything())
    return () if is_listed else compared.free


#: By every number under which a register takes the address.
FORMS = {
    one.msr: form_of(feature)
    for feature in FEATURES.values()
    if feature.registers and feature.registers[0].address
    for one in feature.registers
    if one.cell == feature.registers[0].msr
}


@dataclass(slots=True)
class Area:
    """One area that was registered at some time in this sequence."""

    form: Form
    gpa: int
    cpus: set[int] = field(default_factory=set)  #: whose registers have named it
    alone: bool = True  #: no other area overlaps it
    seen: tuple[int, int] | None = None  #: the versions at the last comparison, (simulator, KVM)
    served: bool = False  #: by the simulator's host at the last look
    registered: bool = False  #: since the last comparison
    waiting: bool = False  #: registered, and its vCPU has not entered since
    asked: bool = False  #: a guest's write has requested a token, and its vCPU has not entered since
    by_host: bool = False  #: the VMM registered it since the last comparison
    delivered: bool = False  #: registered since the last comparison, and its vCPU has entered after that
    promised: bool = True
    early: set[int] = field(default_factory=set)  #: vCPUs whose clock the VMM has put here; they have not entered since
    unsure: int = 0  #: its flags may differ by EARLY_VERSION: 2 until the vCPU has entered, 1 until both hosts write
    loose: bool = False  #: only one host has written it since both did: padding and evenness may differ

    @property
    def end(self) -> int:
        """First gpa after the area."""
        return self.gpa + self.form.size

    @property
    def pages(self) -> range:
        """The page frames that it touches."""
        return range(self.gpa >> 12, (self.end - 1 >> 12) + 1)
