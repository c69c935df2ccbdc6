"""Steps and slots as plain records, so that a schedule can be kept in a file and compared with what happens again.

A record is made of tuples, numbers, words and bytes, and nothing is ever read out of one: whether a step is the
recorded one is asked by comparing records. How a step is worded for people (``step_text``) does not matter here.
"""

from enum import Enum
from typing import Any

from workbench.clayout.layout import Layout, Scalar, Struct
from workbench.clayout.value import Value
from workbench.core.scenario import Scenario

#: A number, a word, bytes, None, or a tuple of records.
Record = Any


def record(value: Any) -> Record:
    """Return the record of a step, a slot, or anything that one of them holds.

    A named tuple becomes its type's name and its fields, the value of a structure its name and bytes, a function its
    name. A scenario is left out: it is the same for the whole schedule.
    """
    if isinstance(value, Enum):
        return value.name.lower()
    if value is None or isinstance(value, bool | int | str | bytes):
        return value
    if isinstance(value, tuple):
        name = (type(value).__name__,) if hasattr(value, "_fields") else ()
        return (*name, *(record(one) for one in value if not isinstance(one, Scenario)))
    if isinstance(value, Value):
        return value.layout.struct_name, value.pack()
    if isinstance(value, Layout):
        return value.struct_name
    if isinstance(value, Struct | Scalar):
        return value.name
    return getattr(value, "__name__", None) or str(value)
