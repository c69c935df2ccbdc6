"""Bars of ASCII characters: a length for each number, and the number itself behind it."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

LONGEST_NAME = 28


def bars(rows: Sequence[tuple[str, int]], unit: str) -> str:
    """Return a line for each (name, number), the longest bar as long as fits into 72 columns; a zero has no bar."""
    names = [ascii_only(name)[:LONGEST_NAME] for name, _ in rows]
    numbers = [f"{number} {unit}" for _, number in rows]
    left = max(map(len, names), default=0)
    room = WIDTH - left - 2 - max(map(len, numbers), default=0) - 1
    most = max((number for _, number in rows), default=0)
    lines = []
    for name, (_, number), told in zip(names, rows, numbers, strict=True):
        long = -(-number * room // most) if most else 0  # rounded up: what is not zero is seen
        lines.append(f"{name:<{left}} |{'#' * long}{' ' if long else ''}{told}")
    return "".join(f"{line}\n" for line in lines)
