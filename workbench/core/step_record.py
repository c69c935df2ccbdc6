"""Steps and slots as plain records, so that a schedule can be saved to a file and compared with a later run.

A record consists of tuples, numbers, strings and bytes. Records are only compared: a replayed step matches if its
record equals the recorded one. The text of a step (``step_text``) does not matter for this.
"""

from enum import Enum
from typing import Any

from workbench.clayout.layout import Layout, Scalar, Struct
from workbench.clayout.value import Value
from workbench.core.scenario import Scenario

#: A number, a string, bytes, None, or a tuple of records.
Record = Any


def record(value: Any) -> Record:
    """Return the record of a step, a slot, or any value inside one.

    A named tuple becomes its type's name and its fields, a struct value becomes the struct's name and bytes, a function
    becomes its name. A scenario is left out, because it is the same for the whole schedule.
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
