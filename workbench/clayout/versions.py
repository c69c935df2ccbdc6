"""Two versions of a struct: what moved, and what a program sees that was compiled with the other version.

Rule: members are the same if they have the same name. One that is gone and one that is new may be the same, renamed, if
they have the same place, size and type, and no other pair has. What a reader sees is decided by bits, not by names: it
finds what the other version put at the place where it looks.

Source: Linux, Documentation/process/botching-up-ioctls.rst, section "Basics": a struct may grow at its end only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from workbench.clayout.fields import moved
from workbench.clayout.shape import Shape
from workbench.clayout.types import Field

SAME, MOVED, RESIZED, RETYPED, RENAMED, NEW, GONE = "same", "moved", "resized", "retyped", "renamed?", "new", "gone"
PADDING, OUTSIDE = "padding", "beyond its end"


@dataclass(frozen=True)
class Change:
    """One member in both versions; None in the version that lacks it. ``name``: in the new one, if it is there."""

    name: str
    old: Field | None
    new: Field | None
    was: str = ""  #: its name in the old version, if that is another

    @property
    def kind(self) -> str:
        """What became of it: the greatest of its changes."""
        if self.old is None or self.new is None:
            return NEW if self.old is None else GONE
        if self.was:
            return RENAMED
        if self.old.bits.start != self.new.bits.start:
            return MOVED
        if len(self.old.bits) != len(self.new.bits):
            return RESIZED
        return SAME if self.old.ctype == self.new.ctype else RETYPED


@dataclass(frozen=True)
class Sight:
    """A member as one version reads it from the bytes of the other: ``finds`` are names, padding or beyond its end.

    ``name+N`` is a member from its byte N on.
    """

    name: str
    field: Field
    finds: tuple[str, ...]


def leaves(layout: Shape) -> list[Field]:
    """The members that are no structs, with dotted names and offsets from the start of the whole struct."""
    return list(_leaves(layout.fields, 0, ""))


def _leaves(fields: tuple[Field, ...], start: int, prefix: str) -> Iterator[Field]:
    for field in fields:
        inner: tuple[Field, ...] = getattr(field.type, "fields", ())
        if inner:
            yield from _leaves(inner, start + field.offset, f"{prefix}{field.name}.")
        else:
            yield moved(field, start, prefix + field.name)


def changes(old: Shape, new: Shape) -> list[Change]:
    """Every member of both versions: in the order of the new one, those that are gone behind the one before them."""
    before = {field.name: field for field in leaves(old)}
    after = {field.name: field for field in leaves(new)}
    renamed = _renamed([one for name, one in before.items() if name not in after],
                       [one for name, one in after.items() if name not in before])  # fmt: skip
    now = {was: name for name, was in renamed.items()}
    names = list(after)
    last = -1
    for name in before:
        if now.get(name, name) in after:
            last = names.index(now.get(name, name))
        else:
            last += 1
            names.insert(last, name)
    return [Change(name, before.get(renamed.get(name, name)), after.get(name), renamed.get(name, "")) for name in names]


def _renamed(gone: list[Field], new: list[Field]) -> dict[str, str]:
    """New names with old ones: of members that alone have the same place, size and type."""
    sides = [Counter((one.bits, one.ctype) for one in side) for side in (gone, new)]
    old = {(one.bits, one.ctype): one.name for one in gone}
    places = {one.name: (one.bits, one.ctype) for one in new}
    return {name: old[place] for name, place in places.items() if [side[place] for side in sides] == [1, 1]}


def same_places(old: Shape, new: Shape) -> bool:
    """Whether two structs differ in names alone: the same size, and members of the same types at the same places."""
    each = [sorted((one.bits.start, len(one.bits), one.ctype) for one in leaves(shape)) for shape in (old, new)]
    return old.size == new.size and each[0] == each[1]


def sights(reader: Shape, written: Shape) -> list[Sight]:
    """What a program with the layout ``reader`` takes for its members in bytes of the layout ``written``.

    Members are left out that it finds as they are: at the same place, of the same size and type.
    """
    theirs = leaves(written)
    there = {field.name: field for field in theirs}
    found = []
    for field in leaves(reader):
        other = there.get(field.name)
        if other is not None and (other.bits, other.ctype) == (field.bits, field.ctype):
            continue
        found.append(Sight(field.name, field, tuple(_at(field.bits, theirs, 8 * written.size))))
    return found


def _at(bits: range, fields: list[Field], end: int) -> Iterator[str]:
    """Whose bits these are."""
    covered = 0
    for field in fields:
        shared = range(max(bits.start, field.bits.start), min(bits.stop, field.bits.stop))
        if shared:
            covered |= ((1 << len(shared)) - 1) << (shared.start - bits.start)
            skipped = (shared.start - field.bits.start) // 8
            yield f"{field.name}+{skipped}" if skipped else field.name
    inside = range(bits.start, min(bits.stop, end))
    if covered & ((1 << len(inside)) - 1) != (1 << len(inside)) - 1:
        yield PADDING
    if bits.stop > end:
        yield OUTSIDE
