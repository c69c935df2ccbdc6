"""Reads what is left out of the comparison of payloads: each with its reason, and with operations that prove it here.

The rule kept here: bytes are left out only if the two hosts answer the entry's operations differently, which is tried
when a campaign starts; an entry without operations says why it cannot be tried, and always applies.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench.core.replay_target import MachineSpec, Target
from workbench.errors import WorkbenchError
from workbench.fuzz.known import parsed
from workbench.paths import DATA
from workbench.reading import read_json
from workbench.replay.grammar import Operation
from workbench.replay.runner import perform

EXCLUSIONS = DATA / "fuzz_exclusions.json"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Fields of payloads, by feature, in which two hosts may differ."""

    name: str
    what: str
    reason: str
    fields: Mapping[str, Sequence[str]]
    tried: Sequence[Operation]  #: the last one's answer differs between the hosts if the entry applies


def load(path: Path = EXCLUSIONS) -> tuple[Exclusion, ...]:
    """Return all exclusions; raise WorkbenchError if the file is missing or malformed."""
    try:
        return tuple(
            Exclusion(one["name"], one["what"], one["reason"], one["fields"], parsed(one["name"], one["tried"]))
            for one in read_json(path, "exclusions")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(f"exclusions {path} cannot be read: {error}") from None


def applying(
    entries: Sequence[Exclusion], simulated: Callable[[MachineSpec], Target], real: Callable[[MachineSpec], Target]
) -> tuple[Exclusion, ...]:
    """Return those of ``entries`` that the two hosts show, and those that cannot be tried."""
    return tuple(one for one in entries if not one.tried or _answer(one, simulated) != _answer(one, real))


def fields_of(entries: Sequence[Exclusion]) -> frozenset[tuple[str, str]]:
    """Return the (feature, field) that are left out."""
    return frozenset((feature, name) for one in entries for feature, names in one.fields.items() for name in names)


@cache
def everything() -> frozenset[tuple[str, str]]:
    """Return every (feature, field) that is listed."""
    return fields_of(load())


def _answer(one: Exclusion, open_machine: Callable[[MachineSpec], Target]) -> Mapping[str, Any]:
    machine = open_machine(MachineSpec())
    try:
        answer: Mapping[str, Any] = {}
        for step in one.tried:
            answer = perform(machine, step)
        return answer
    finally:
        machine.close()
