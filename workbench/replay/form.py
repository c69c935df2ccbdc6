"""What an operation of a replay file is made of: its keys, what it can expect, and how a machine carries it out.

An operation is one entry in a file of ``workbench.replay.operations``.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from workbench.replay import values
from workbench.replay.layout import Layout

REQUIRED = object()


class Field(NamedTuple):
    """One key of an operation: the parser of its value, and its default."""

    parse: Callable[[object], Any]
    default: Any = REQUIRED


class Form(NamedTuple):
    """One operation: its keys, how it is carried out, the expectations it can have, what must be true before it.

    ``perform`` takes the machine and the arguments by name, and returns the answer, or None for one without content.
    ``follow`` takes the layout of the machine and the arguments; it raises NotAllowedError if the operation is not
    possible, and changes the layout as the operation does.
    """

    fields: Mapping[str, Field]
    perform: Callable[..., Mapping[str, Any] | None]
    expects: tuple[str, ...] = ()
    follow: Callable[[Layout, Mapping[str, Any]], None] | None = None


CPU = Field(values.cpu_index, 0)
GPA, MSR, VALUE = Field(values.u64), Field(values.u32), Field(values.u64)
