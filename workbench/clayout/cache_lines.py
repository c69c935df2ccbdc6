"""An array of structs on cache lines: which elements share a line, and which cross one.

Rule: the array starts at the start of a line, as an allocator of whole pages gives it.

Source: 64 bytes are a line on every x86 since 2001 (Intel SDM, volume 3, "Memory Cache Control"). A line that one CPU
writes is taken from all others, so elements of different vCPUs should not share one.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from textwrap import wrap
from typing import Any

from workbench.clayout.layout import Struct
from workbench.clayout.rows import WIDTH
from workbench.clayout.shape import Shape
from workbench.errors import LayoutError

LINE = 64  #: bytes
MOST_BYTES = 1 << 16  #: of an array that is drawn
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_MARGIN = 8  # columns of the line's number


def array_text(found: Struct, count: int, width: int = WIDTH) -> str:
    """The picture of ``count`` elements on each ABI, and in words what they share.

    Raises LayoutError for a struct without bytes, for no element, and for an array larger than MOST_BYTES.
    """
    texts = [(abi.label, _picture(found.on(abi), count, width)) for abi in found.abis]
    parts = []
    for text, group in groupby(texts, key=lambda one: one[1]):
        labels = " and ".join(label for label, _ in group)
        parts.append(f"{found.on(found.abis[0]).title}[{count}] on {labels}\n{text}")
    return "\n\n".join(parts)


def array_records(found: Struct, count: int) -> list[dict[str, Any]]:
    """The same as data, a record for each ABI; raises LayoutError as `array_text` does."""
    records = []
    for abi in found.abis:
        layout = found.on(abi)
        spans = _spans(layout.size, count)
        users = _users(spans)
        records.append({
            "struct": layout.struct_name, "abi": abi.label, "count": count, "element_size": layout.size,
            "size": count * layout.size, "line_size": LINE, "lines": len(users),
            "shared_lines": sum(one > 1 for one in users), "most_elements_on_a_line": max(users),
            "crossing_elements": _crossing(spans, layout.size),
            "elements": [{"offset": i * layout.size, "first_line": first, "last_line": last}
                         for i, (first, last) in enumerate(spans)],
        })  # fmt: skip
    return records


def _spans(size: int, count: int) -> list[tuple[int, int]]:
    """The first and the last line of each element."""
    if not 0 < count * size <= MOST_BYTES:
        raise LayoutError(
            f"an array of {count} elements of {size} bytes (allowed: 1 to {MOST_BYTES} bytes in all, "
            f"so {MOST_BYTES // size if size else 0} elements at most)"
        )
    return [(i * size // LINE, (i * size + size - 1) // LINE) for i in range(count)]


def _users(spans: list[tuple[int, int]]) -> list[int]:
    """How many elements each line holds something of."""
    count = Counter(line for first, last in spans for line in range(first, last + 1))
    return [count[line] for line in range(spans[-1][1] + 1)]


def _crossing(spans: list[tuple[int, int]], size: int) -> int:
    """How many elements lie on one line more than they need."""
    return sum(last - first + 1 > -(-size // LINE) for first, last in spans)


def _picture(layout: Shape, count: int, width: int) -> str:
    size, spans = layout.size, _spans(layout.size, count)
    scale = next(scale for scale in (1, 2, 4, 8) if LINE // scale + _MARGIN <= width or scale == 8)
    lines = [f"{'byte':>{_MARGIN - 2}}  {_ruler(scale)}".rstrip()]
    for start in range(0, count * size, LINE):
        drawn = "".join(_mark(layout, at, count, scale) for at in range(start, start + LINE, scale))
        lines.append(f"{start:{_MARGIN - 2}}  {drawn}".rstrip())
    words = [_legend(scale), *_sentences(size, spans)]
    return "\n".join([*lines, *(line for one in words for line in wrap(one, width, subsequent_indent="  "))])


def _ruler(scale: int) -> str:
    return "".join(f"{at:<{8 * 2 // scale}}" for at in range(0, LINE, 16))


def _mark(layout: Shape, at: int, count: int, scale: int) -> str:
    """The element at a byte as a digit, a dot for padding, a blank behind the array."""
    element, offset = divmod(at, layout.size)
    if element >= count:
        return " "
    return _DIGITS[element % len(_DIGITS)] if any(layout.declared[offset : offset + scale]) else "."


def _legend(scale: int) -> str:
    each = "a byte" if scale == 1 else f"{scale} bytes"
    return f"A row is a cache line of {LINE} bytes, a character {each} of the element of that number, a dot padding."


def _sentences(size: int, spans: list[tuple[int, int]]) -> list[str]:
    """What the elements share."""
    count, users = len(spans), _users(spans)
    total = len(users)
    said = [f"{count} x {size} = {count * size} bytes on {total} {'line' if total == 1 else 'lines'}."]
    if max(users) > 1:
        shared = sum(one > 1 for one in users)
        said.append(f"{shared} of {total} lines hold more than one element, at most {max(users)}.")
    if crossing := _crossing(spans, size):
        said.append(f"{crossing} of {count} elements lie on one line more than they need.")
    if max(users) == 1:
        said.append("No two elements share a line.")
    return said
