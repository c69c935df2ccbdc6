"""Reads the known divergences between kernel versions: each with versions, reason and source; uses are counted.

The rule kept here: whether this kernel has a divergence is not read from its version (stable kernels take fixes
at different times) but tested: the entry's operations are run once, and must answer as the entry says. An
entry in force explains answers of certain operations, or makes the simulator behave like that kernel (by a
mitigation of the protocol), or keeps certain operations out of the sequences.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.core.outcome import FAULT, Outcome
from workbench.core.replay_target import MachineSpec, Target
from workbench.errors import WorkbenchError
from workbench.fuzz.entries import parsed
from workbench.fuzz.exclusions import LeftOut
from workbench.paths import DATA
from workbench.reading import read_json
from workbench.replay.grammar import Operation
from workbench.replay.runner import perform

KNOWN = DATA / "known_divergences.json"


@dataclass(frozen=True, slots=True)
class Entry:
    """One known divergence."""

    name: str
    kernels: str
    what: str
    reason: str
    source: str
    shown_by: Sequence[Operation]
    shows: Mapping[str, str]  #: the last operation's answer, as text
    msr: int | None = None  #: explains the answers of ``ops`` on this register
    ops: tuple[str, ...] = ()
    mitigation: str = ""
    avoid: str = ""
    allows: str = ""  #: names the differences of payloads that the comparison then accepts and counts


@dataclass(frozen=True, slots=True)
class Known:
    """The known divergences that this KVM shows."""

    entries: tuple[Entry, ...] = ()
    left_out: LeftOut | None = None  #: what is not compared here; None: all that ``exclusions`` lists

    @property
    def mitigations(self) -> tuple[str, ...]:
        """Mitigations with which the simulated protocol behaves like this kernel."""
        return tuple(entry.mitigation for entry in self.entries if entry.mitigation)

    @property
    def avoided(self) -> frozenset[str]:
        """Kinds of operations to leave out of sequences."""
        return frozenset(entry.avoid for entry in self.entries if entry.avoid)

    @property
    def allowed(self) -> frozenset[str]:
        """Differences that the comparison of payloads accepts."""
        return frozenset(entry.allows for entry in self.entries if entry.allows)

    def explains(self, step: Operation) -> str | None:
        """Return the name of the entry that explains why two hosts answer ``step`` differently, or None."""
        for entry in self.entries:
            if entry.msr is not None and entry.msr == step.arguments.get("msr") and step.op in entry.ops:
                return entry.name
        return None


def load(path: Path = KNOWN) -> tuple[Entry, ...]:
    """Return all known divergences; raise WorkbenchError if the file is missing or malformed."""
    try:
        return tuple(_entry(record) for record in read_json(path, "known divergences"))
    except (ValueError, KeyError, TypeError) as error:
        raise WorkbenchError(f"known divergences {path} cannot be read: {error}") from None


def _entry(record: Mapping[str, Any]) -> Entry:
    explains = record.get("explains", {})
    texts = {key: str(record[key]) for key in ("name", "kernels", "what", "reason", "source")}
    return Entry(
        **texts,
        shown_by=parsed(record["name"], record["shown_by"]),
        shows=record["shows"],
        msr=int(explains["msr"], 16) if explains else None,
        ops=tuple(explains.get("ops", ())),
        mitigation=record.get("mitigation", ""),
        avoid=record.get("avoid", ""),
        allows=record.get("allows", ""),
    )


def shown(entries: Sequence[Entry], open_machine: Callable[[MachineSpec], Target]) -> Known:
    """Return those of ``entries`` that the machine opened by ``open_machine`` shows."""
    return Known(tuple(entry for entry in entries if _shows(entry, open_machine)))


def _shows(entry: Entry, open_machine: Callable[[MachineSpec], Target]) -> bool:
    machine = open_machine(MachineSpec())
    try:
        answer: Mapping[str, Any] = {}
        for step in entry.shown_by:
            answer = perform(machine, step)
        known = machine.tells_unknown
    finally:
        machine.close()
    if not known and FAULT.name in entry.shows.values() and answer.get("outcome") is FAULT:
        return False  # a FAULT from this KVM may mean UNKNOWN; the comparison allows for that
    return {key: _text(value) for key, value in answer.items()} == dict(entry.shows)


def _text(value: Any) -> str:
    if isinstance(value, Outcome):
        return value.name
    return f"{value:#x}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
