"""The result of an exploration: a verdict per property, exact counts, shortest traces.

Rule kept here: HOLDS for an `always` property and FAILS for a `sometimes` property require that all states
were seen, and that the property's premise came about in one of them. Without the first the verdict is BOUNDED, without
the second NOT_EXERCISED.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from workbench.engines.explore.trace import Trace

HOLDS, FAILS, BOUNDED, NOT_EXERCISED = "HOLDS", "FAILS", "BOUNDED", "NOT EXERCISED"
#: The model could not be run: a program of it raised an exception, or broke a rule.
BROKE_OFF = "BROKE OFF"
#: The verdicts, the gravest first: a whole has the gravest verdict of its parts.
VERDICTS = (FAILS, BROKE_OFF, BOUNDED, HOLDS, NOT_EXERCISED)


@dataclass(frozen=True)
class Culprit:
    """Something that violates a property: in how many states, and after how many steps at the earliest."""

    states: int
    steps: int


@dataclass(frozen=True)
class Finding:
    """A violated property. `states`: how many reachable states violate it (0 for a `sometimes` property).

    `culprits`: what violates it in any state, by name; empty for a property that names none.

    `trace` is a shortest path to the first of them; None for a `sometimes` property, which no single trace
    can show to fail.
    """

    code: str
    name: str
    states: int
    trace: Trace | None
    culprits: dict[str, Culprit] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Code, name, number of violating states and the steps."""
        steps = None if self.trace is None else self.trace.as_json()
        return {"code": self.code, "name": self.name, "states": self.states, "steps": steps}


@dataclass
class Result:
    """The result of an exploration.

    `transitions` counts enabled actions over all states, those that change nothing included. `depth` is
    the number of steps to the state that is farthest away. `seconds` is the search alone. `stored` is what
    the engine kept, in bytes. `limit` says why the search is BOUNDED, None when all states were seen.
    `hits` has, by property code, the number of states that violate (always) or reach (sometimes) it; `premises` the
    number of states in which its premise holds, for each property that has one.
    `executed` is how often the author's functions were run. `stands_for`: with symmetry, the number of states that the
    `states` represent; None without it, or if they are too many to be counted.
    """

    verdicts: dict[str, str]
    findings: list[Finding]
    states: int
    transitions: int
    depth: int
    seconds: float
    stored: int
    deadlocks: int
    deadlock: Trace | None
    limit: str | None
    engine: str
    hits: dict[str, int]
    executed: int
    premises: dict[str, int] = field(default_factory=dict)
    stands_for: int | None = None
    witness: Callable[[str], Trace | None] = field(repr=False, default=lambda code: None)

    @classmethod
    def broke_off(cls, codes: Iterable[str], why: str) -> Result:
        """The result of a search that an error has ended: nothing is known of these properties."""
        verdicts = dict.fromkeys(codes, BROKE_OFF)
        none = dict.fromkeys(codes, 0)
        return cls(verdicts, [], 0, 0, 0, 0.0, 0, 0, None, why, "none", none, 0, dict(none))

    @property
    def verdict(self) -> str:
        """The gravest verdict of all properties; BOUNDED at least if not all states were seen."""
        said = {*self.verdicts.values(), *([] if self.limit is None else [BOUNDED])}
        return gravest(said) if said else HOLDS

    @property
    def bytes_per_state(self) -> float:
        """Bytes that the engine kept for each state."""
        return self.stored / self.states if self.states else 0.0

    @property
    def rate(self) -> float:
        """Distinct states per second of search."""
        return self.states / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, Any]:
        """Everything but the witness function, ready for json.dumps."""
        return {
            "verdict": self.verdict,
            "verdicts": self.verdicts,
            "states": self.states,
            "transitions": self.transitions,
            "depth": self.depth,
            "seconds": self.seconds,
            "bytes_per_state": round(self.bytes_per_state, 1),
            "engine": self.engine,
            "limit": self.limit,
            "deadlocks": self.deadlocks,
            "hits": self.hits,
            "premises": self.premises,
            "deadlock": None if self.deadlock is None else self.deadlock.as_json(),
            "findings": [finding.as_json() for finding in self.findings],
        }


def gravest(verdicts: Collection[str]) -> str:
    """The verdict of a whole whose parts have these verdicts, of which there is at least one."""
    return next(verdict for verdict in VERDICTS if verdict in verdicts)


def verdict_of(kind: str, hits: int, premises: int | None, limit: str | None) -> str:
    """The verdict of a property of this kind after a search that counted so many states, and was stopped by `limit`.

    `premises` is None for a property that has no premise.
    """
    if hits:
        return FAILS if kind == "always" else HOLDS
    if limit is not None:
        return BOUNDED
    if premises == 0:
        return NOT_EXERCISED
    return HOLDS if kind == "always" else FAILS
