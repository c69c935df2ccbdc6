"""Counts the updates of payloads in a run: each once, as soon as a byte of it has arrived in guest memory.

No step says that an update begins: a step of its own would be one more place at which engines let others act. The
programs tell it: while the host stores a byte of a payload, its suspended program is inside ``Feature.update``, or in a
program of the protocol that writes a payload itself (:func:`updates`).
"""

from collections.abc import Callable, Mapping
from types import CodeType, GeneratorType
from typing import Any, NamedTuple

from workbench.core.contracts.feature import Feature
from workbench.core.rules.place import driven_by

#: The name of the method that updates a payload.
_UPDATE = Feature.update.__name__
#: Programs of protocols that write a payload themselves, with the name of the feature.
_OTHERS: dict[CodeType, str] = {}
#: Before a feature's name, in the counts of a machine.
_COUNTED = "updates of "


class Update(NamedTuple):
    """An update that a suspended program is in; ``program`` tells it from the next one."""

    feature: str
    program: Any


def updates(feature: str) -> Callable[[Any], Any]:
    """Make a host program of a protocol count as an update of ``feature``; a decorator of generator functions."""

    def known(function: Any) -> Any:
        _OTHERS[function.__code__] = feature
        return function

    return known


def counter(feature: str) -> str:
    """Return the name under which a machine counts the updates of ``feature``."""
    return _COUNTED + feature


def made(counts: Mapping[str, int]) -> dict[str, int]:
    """Return how often each payload was updated, by the name of the feature, from the counts of a machine."""
    return {name.removeprefix(_COUNTED): number for name, number in counts.items() if name.startswith(_COUNTED)}


def under_way(program: Any) -> Update | None:
    """Return the update that a suspended host program is in, the outermost of several; None if it is in none."""
    while isinstance(program, GeneratorType) and program.gi_frame is not None:
        code = program.gi_code
        if code in _OTHERS:
            return Update(_OTHERS[code], program)
        if code.co_name == _UPDATE and isinstance(own := program.gi_frame.f_locals.get("self"), Feature):
            return Update(own.name, program)
        program = driven_by(program)
    return None
