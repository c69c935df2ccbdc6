"""The enumerators of an enum, and their values; the size of a packed one.

Source: C11 6.7.2.2 (enumeration specifiers); gcc manual, "Common Type Attributes", packed: the smallest integral type.
"""

from __future__ import annotations

from workbench.clayout.attributes import AttributeReader
from workbench.clayout.constants import Names, constant
from workbench.clayout.reader import Cursor
from workbench.clayout.tree import CScalar


def read_enumerators(cursor: Cursor, names: Names, values: dict[str, int], tag: str, base: CScalar | None) -> range:
    """Read up to the closing brace, add the enumerators to ``values``, and return a range of all values and 0.

    ``base`` is the type that the enum gives for itself. Raises LayoutError if the size of the enum is not certain.
    """
    annotations = AttributeReader(cursor, names)
    value, lowest, highest = -1, 0, 0
    while not cursor.accept("}"):
        if cursor.token.kind == "boundary":
            cursor.refuse(f"{cursor.token.text} inside enum {tag}: enumerators are not certain")
        name = cursor.name("an enumerator")
        annotations.all()
        value = constant(cursor, names) if cursor.accept("=") else value + 1
        lowest, highest = min(lowest, value), max(highest, value)
        if base is None and not -(1 << 31) <= value < 1 << (31 if lowest < 0 else 32):
            cursor.refuse(f"enumerator {name} does not fit 32 bits, the size of the enum is not certain")
        if values.setdefault(name, value) != value:
            cursor.refuse(f"enumerator {name} has two values")
        if not cursor.accept(",") and cursor.token.text != "}":
            cursor.refuse(f"expected ',' or '}}' in enum {tag}, found {cursor.found()}")
    return range(lowest, highest + 1)


def packed_sizes(values: range) -> tuple[int, int]:
    """Return the bytes of a packed enum, the same on both ABIs: the smallest integer that holds all values."""
    bits = max((-values[0] - 1 if values[0] < 0 else 0).bit_length(), values[-1].bit_length()) + (values[0] < 0)
    size = next(size for size in (1, 2, 4) if bits <= 8 * size)
    return size, size
