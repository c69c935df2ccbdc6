"""Two versions of a struct as text: the table of members, and in words what each side sees of the other."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from textwrap import wrap
from typing import Any

from workbench.clayout.layout import Abi, Struct
from workbench.clayout.rows import WIDTH, lines_of
from workbench.clayout.shape import Shape
from workbench.clayout.types import Field
from workbench.clayout.versions import OUTSIDE, PADDING, RETYPED, SAME, Change, Sight, changes, sights

_NOTHING = " " * 14


def diff_text(old: Struct, new: Struct, width: int = WIDTH) -> str:
    """Both versions on every ABI that defines both; ABIs with the same text stand together."""
    texts = [(abi.label, _on(old.on(abi), new.on(abi), width)) for abi in Abi if abi in old.abis and abi in new.abis]
    parts = []
    for text, group in groupby(texts, key=lambda one: one[1]):
        labels = " and ".join(label for label, _ in group)
        parts.append(f"{_title(old, new)}, old and new, on {labels}\n{text}")
    missing = [abi.label for abi in Abi if (abi in old.abis) != (abi in new.abis)]
    return "\n\n".join([*parts, *(f"Only one version defines it on {label}." for label in missing)])


def _title(old: Struct, new: Struct) -> str:
    before, after = (one.on(one.abis[0]).title for one in (old, new))
    return after if before == after else f"{after} (renamed? from {before})"


def _on(old: Shape, new: Shape, width: int) -> str:
    found = changes(old, new)
    rows = [("offset    size  offset    size", "", "")]
    rows += [(f"{_numbers(one.old)}  {_numbers(one.new)}", _type(one), _name(one)) for one in found]
    words = [*_summary(old, new, found), *_seen("An old reader of a new struct", sights(old, new), old, new)]
    words += _seen("A new reader of an old struct", sights(new, old), new, old)
    wrapped = [line for one in words for line in wrap(one, width, subsequent_indent="  ")]
    return "\n".join([*lines_of(f"{'old':14}  {'new':14}", rows, width), *wrapped])


def _numbers(field: Field | None) -> str:
    if field is None:
        return _NOTHING
    size = str(field.size) if field.bit_width is None else f"{field.bit_width} bit"
    return f"{field.offset:6}  {size:>6}"


def _type(change: Change) -> str:
    shown = change.new or change.old
    assert shown is not None
    return shown.ctype


def _name(change: Change) -> str:
    if change.kind == SAME:
        return change.name
    if change.was:
        return f"{change.name} ({change.kind} from {change.was})"
    was = f", was {change.old.ctype}" if change.kind == RETYPED and change.old else ""
    return f"{change.name} ({change.kind}{was})"


def _summary(old: Shape, new: Shape, found: list[Change]) -> Iterator[str]:
    if old.size == new.size:
        yield f"{new.size} bytes in both."
    else:
        yield f"{old.size} bytes in the old one, {new.size} in the new one."
    if old.align != new.align:
        yield f"Aligned to {old.align} in the old one, to {new.align} in the new one."
    if all(one.kind == SAME for one in found):
        yield "Every member is the same."


def _seen(who: str, found: list[Sight], reader: Shape, written: Shape) -> Iterator[str]:
    """One sentence per member that is not found as it is, and one about the end of the struct."""
    if not found:
        yield f"{who} finds each of its members as it is."
    for one in found:
        yield f"{who} takes for {one.name} ({_where(one.field)}): {', '.join(map(_what, one.finds))}."
    if reader.size > written.size:
        yield f"{who} reads {reader.size - written.size} bytes beyond its end, unless it is told the size."
    elif reader.size < written.size:
        yield f"{who} does not see its last {written.size - reader.size} bytes."


def _where(field: Field) -> str:
    place = f"offset {field.offset}"
    return place if field.bit_width is None else f"{place} bit {field.bit_offset}"


def _what(name: str) -> str:
    return {PADDING: "padding of the compiler", OUTSIDE: "what lies beyond its end"}.get(name, name)


# ---- as data


def diff_records(old: Struct, new: Struct) -> list[dict[str, Any]]:
    """The same as data, one record for each ABI that defines both versions."""
    return [_record(abi, old.on(abi), new.on(abi)) for abi in Abi if abi in old.abis and abi in new.abis]


def _record(abi: Abi, old: Shape, new: Shape) -> dict[str, Any]:
    return {
        "struct": new.struct_name,
        "abi": abi.label,
        "was": old.struct_name if old.struct_name != new.struct_name else None,
        "old": {"size": old.size, "align": old.align},
        "new": {"size": new.size, "align": new.align},
        "members": [
            {"name": one.name, "change": one.kind, "was": one.was or None,
             "old": _place(one.old), "new": _place(one.new)}
            for one in changes(old, new)
        ],
        "old_reader": [{"name": one.name, "finds": list(one.finds)} for one in sights(old, new)],
        "new_reader": [{"name": one.name, "finds": list(one.finds)} for one in sights(new, old)],
    }


def _place(field: Field | None) -> dict[str, Any] | None:
    if field is None:
        return None
    return {
        "offset": field.offset, "size": field.size, "type": field.ctype, "bit_offset": field.bit_offset,
        "bit_width": field.bit_width,
    }  # fmt: skip
