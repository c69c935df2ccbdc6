"""The enumerators of an enum, and their values.

Source: C11 6.7.2.2 (enumeration specifiers).
"""

from __future__ import annotations

from workbench.clayout.attributes import AttributeReader
from workbench.clayout.constants import Names, constant
from workbench.clayout.reader import Cursor
from workbench.clayout.tree import CScalar


def read_enumerators(cursor: Cursor, names: Names, values: dict[str, int], tag: str, base: CScalar | None) -> int:
    """Read up to the closing brace, add the enumerators to ``values``, and return the lowest value, at most 0.

    ``base`` is the type that the enum gives for itself. Raises LayoutError if the size of the enum is not certain.
    """
    annotations = AttributeReader(cursor, names)
    value, lowest = -1, 0
    while not cursor.accept("}"):
        if cursor.token.kind == "boundary":
            cursor.refuse(f"{cursor.token.text} inside enum {tag}: enumerators are not certain")
        name = cursor.name("an enumerator")
        annotations.all()
        value = constant(cursor, names) if cursor.accept("=") else value + 1
        lowest = min(lowest, value)
        if base is None and not -(1 << 31) <= value < 1 << (31 if lowest < 0 else 32):
            cursor.refuse(f"enumerator {name} does not fit 32 bits, the size of the enum is not certain")
        if values.setdefault(name, value) != value:
            cursor.refuse(f"enumerator {name} has two values")
        if not cursor.accept(",") and cursor.token.text != "}":
            cursor.refuse(f"expected ',' or '}}' in enum {tag}, found {cursor.found()}")
    return lowest
