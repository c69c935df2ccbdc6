"""Reads what the comparison leaves out: each with its reason and source, and operations that prove it here.

The rules kept here: an entry applies only if the two hosts answer its operations differently, which is tried when a
campaign starts; an entry without operations says why it cannot be tried, and always applies. The code that leaves
something out asks by the entry's name, so what is not in the file is compared.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from workbench.core.replay_target import MachineSpec, Target
from workbench.errors import WorkbenchError
from workbench.fuzz.entries import parsed
from workbench.paths import DATA
from workbench.reading import read_json
from workbench.replay.grammar import Operation
from workbench.replay.runner import perform

EXCLUSIONS = DATA / "fuzz_exclusions.json"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """Something in which two hosts may differ."""

    name: str
    what: str
    reason: str
    source: str
    fields: Mapping[str, Sequence[str]]  #: fields of payloads that it leaves out, by feature
    operations: Sequence[str]  #: operations that no sequence has
    tried: Sequence[Operation]  #: the last one's answer differs between the hosts if the entry applies
    not_tried: str  #: why no operation can show it; empty if ``tried`` has some


class LeftOut:
    """The exclusions of a file, and those of them that apply; what leaves something out asks here."""

    def __init__(self, entries: Sequence[Exclusion], applying: Iterable[str] | None = None) -> None:
        """``applying``: names of the entries that apply; None: all do."""
        self._named = frozenset(one.name for one in entries)
        self.names = self._named if applying is None else frozenset(applying)
        #: Which entry leaves out a (feature, field).
        self.fields = {
            (feature, field): one.name
            for one in entries
            if one.name in self.names
            for feature, fields in one.fields.items()
            for field in fields
        }

    def applies(self, name: str) -> bool:
        """Tell whether the exclusion applies; raise WorkbenchError if the file does not list it."""
        if name not in self._named:
            raise WorkbenchError(f"exclusion {name!r} is not allowed; allowed: {', '.join(sorted(self._named))}")
        return name in self.names


def load(path: Path = EXCLUSIONS) -> tuple[Exclusion, ...]:
    """Return all exclusions; raise WorkbenchError if the file is missing or malformed."""
    try:
        return tuple(_entry(one) for one in read_json(path, "exclusions"))
    except (ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(f"exclusions {path} cannot be read: {error}") from None


def _entry(record: Mapping[str, Any]) -> Exclusion:
    name, tried, not_tried = record["name"], record.get("tried", ()), record.get("not_tried", "")
    if bool(tried) is bool(not_tried):
        raise ValueError(f"{name} must have operations that try it, or the reason why there are none")
    return Exclusion(
        **{key: str(record[key]) for key in ("name", "what", "reason", "source")},
        fields=record.get("fields", {}),
        operations=tuple(record.get("operations", ())),
        tried=parsed(name, tried) if tried else (),
        not_tried=not_tried,
    )


def applying(
    entries: Sequence[Exclusion], simulated: Callable[[MachineSpec], Target], real: Callable[[MachineSpec], Target]
) -> tuple[Exclusion, ...]:
    """Return those of ``entries`` that the two hosts show, and those that cannot be tried."""
    return tuple(one for one in entries if not one.tried or _answer(one, simulated) != _answer(one, real))


@cache
def everything() -> LeftOut:
    """Return the exclusions that are listed, as if all applied."""
    return LeftOut(load())


def _answer(one: Exclusion, open_machine: Callable[[MachineSpec], Target]) -> Mapping[str, Any]:
    machine = open_machine(MachineSpec())
    try:
        answer: Mapping[str, Any] = {}
        for step in one.tried:
            answer = perform(machine, step)
        return answer
    finally:
        machine.close()
