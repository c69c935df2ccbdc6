"""Bytes that differ from lane to lane: symbolic numbers as they are stored in guest memory, and structs of them.

Each byte is an int, the same in all lanes, or one byte of a number that differs. Slicing keeps this exact; reading a
number assembles its bytes by that number's own arithmetic, which is exact or raises Diverged. This module uses
nothing else of the number.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, NamedTuple, Never

from workbench.clayout.layout import Layout
from workbench.clayout.symbolic import SymbolicBytes, SymbolicNumber
from workbench.clayout.types import Scalar
from workbench.clayout.value import Value


class Part(NamedTuple):
    """Byte ``byte``, counted from the lowest, of a number that is not negative."""

    number: Any  # a SymbolicNumber with the arithmetic of an int
    byte: int


#: A byte that is the same in all lanes, or a Part.
Atom = int | Part


class LaneBytes(SymbolicBytes):
    """Bytes of which at least one differs from lane to lane."""

    __slots__ = ("atoms",)

    def __init__(self, atoms: Sequence[Atom]) -> None:
        self.atoms = tuple(atoms)

    @property  # type: ignore[misc]
    def __class__(self) -> type:  # isinstance(x, bytes) must be true, as it is for the bytes of a single vCPU
        return bytes

    def __len__(self) -> int:
        return len(self.atoms)

    def __getitem__(self, at: Any) -> Any:
        return together(self.atoms[at]) if isinstance(at, slice) else number_of([self.atoms[at]])

    def __iter__(self) -> Iterator[Any]:
        return (number_of([atom]) for atom in self.atoms)

    def __add__(self, other: Any) -> Any:
        return together(self.atoms + atoms_of(other)) if isinstance(other, bytes) else NotImplemented

    def __radd__(self, other: Any) -> Any:
        return together(atoms_of(other) + self.atoms) if isinstance(other, bytes) else NotImplemented

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, bytes) or len(other) != len(self):
            return False
        return all(map(_equal, self.atoms, atoms_of(other)))

    def __hash__(self) -> int:
        return self.refuse()

    def unpacked(self, kind: Any) -> Any:
        """Decode these bytes: to a number by a Scalar, to a struct by a Layout."""
        if len(self) != kind.size:
            return self.refuse()
        if isinstance(kind, Scalar):
            return number_of(self.atoms[::-1] if kind.big_endian else self.atoms, signed=kind.signed)
        return value_of(kind, self.atoms)

    def refuse(self, *_: Any) -> Never:
        """Raise Diverged; used for every operation that is not defined above."""
        numbers: Iterator[SymbolicNumber] = (atom.number for atom in self.atoms if isinstance(atom, Part))
        next(numbers).refuse()


for _name in "repr str format bytes index contains getattr reduce_ex mod mul rmul lt le gt ge".split():
    setattr(LaneBytes, f"__{_name}__", LaneBytes.refuse)


class LaneValue(Value):
    """A struct value whose bytes are LaneBytes; its fields are decoded as they are read."""

    __slots__ = ("layout",)
    layout: Layout

    def __getitem__(self, name: str) -> Any:
        field = self.layout.field(name)
        atoms = atoms_of(self._data)[field.offset : field.offset + field.size]
        if isinstance(field.type, Scalar) and field.bit_width is None:
            return field.type.unpack(together(atoms))
        data = together(atoms)
        if isinstance(data, LaneBytes) and not getattr(field.type, "as_bytes", False):
            return data.refuse()
        return field.read_from(bytes(field.offset) + data)

    def __getattr__(self, name: str) -> Any:
        return self[name] if name in self.layout._index else super().__getattr__(name)

    def __repr__(self) -> str:
        return repr(self._data)


def _equal(one: Atom, two: Atom) -> bool:
    if isinstance(one, Part) and isinstance(two, Part) and one.number is two.number and one.byte == two.byte:
        return True
    return bool(number_of([one]) == number_of([two]))


def atoms_of(data: Any) -> tuple[Atom, ...]:
    """Return the bytes of ``data`` as a sequence of atoms, whether it is LaneBytes or bytes."""
    return data.atoms if isinstance(data, LaneBytes) else tuple(data)


def together(atoms: Sequence[Atom]) -> Any:
    """Return bytes where all atoms are the same in all lanes, LaneBytes otherwise."""
    return LaneBytes(atoms) if any(isinstance(atom, Part) for atom in atoms) else bytes(atoms)  # type: ignore[arg-type]


def value_of(layout: Layout, atoms: Iterable[Atom]) -> Any:
    """Return the Value of ``layout`` with these bytes; the content of its padding is dropped."""
    kept: list[Atom] = []
    for atom, covered in zip(atoms, layout.covered, strict=True):
        if isinstance(atom, int):
            kept.append(atom & covered)
        else:
            kept.append(atom if covered == 0xFF else 0 if covered == 0 else atom.number.refuse())
    data = together(kept)
    if not isinstance(data, LaneBytes):
        return layout.unpack(data)
    value = object.__new__(LaneValue)
    object.__setattr__(value, "_data", data)
    object.__setattr__(value, "layout", layout)
    return value


def number_of(atoms: Sequence[Atom], *, signed: bool = False) -> Any:
    """Return the little-endian number in these bytes."""
    total: Any = 0
    for _, run in groupby(enumerate(atoms), _run_key):
        (position, piece), *more = run
        number: Any = piece
        if isinstance(piece, Part):
            number = piece.number >> 8 * piece.byte & (1 << 8 * (1 + len(more))) - 1
        total = total + (number << 8 * position)
    half = 1 << 8 * len(atoms) - 1
    return total - 2 * half if signed and total >= half else total


def _run_key(item: tuple[int, Atom]) -> tuple[Any, ...]:
    """Key by which adjacent bytes of one number are grouped; any other byte is a group of its own."""
    position, atom = item
    return (id(atom.number), position - atom.byte) if isinstance(atom, Part) else (position,)


def packed(number: Any, kind: Scalar) -> Any:
    """Return the bytes of ``number`` as ``kind``; raise Diverged unless it fits in every lane."""
    bits = 8 * kind.size
    if kind.signed and number < 0:
        return number.refuse() if number < -(1 << bits - 1) else packed(number + (1 << bits), _unsigned(kind))
    if number < 0 or number >= 1 << bits - kind.signed:
        return number.refuse()
    atoms = [Part(number, index) for index in range(kind.size)]
    return LaneBytes(atoms[::-1] if kind.big_endian else atoms)


def filled(layout: Layout, fields: dict[str, Any]) -> Any:
    """Return the Value of ``layout`` with ``fields``, some of which differ from lane to lane."""
    ordinary = {name: content for name, content in fields.items() if not isinstance(content, SymbolicNumber)}
    atoms: list[Atom] = list(layout(**ordinary).pack())
    for name, content in fields.items():
        if isinstance(content, SymbolicNumber):
            field = layout.field(name)
            if layout._overlaps or field.bit_width is not None or not isinstance(field.type, Scalar):
                content.refuse()
            atoms[field.offset : field.offset + field.size] = atoms_of(content.packed(field.type))
    return value_of(layout, atoms)


def _unsigned(kind: Scalar) -> Scalar:
    return Scalar(kind.name, kind.size, False, kind.big_endian)
