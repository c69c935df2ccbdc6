"""The result of an exploration: a verdict per property, exact counts, shortest traces.

Rule kept here: HOLDS for an `always` property and FAILS for a `sometimes` property require that all states
were seen; otherwise the verdict is BOUNDED.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from workbench.engines.explore.model import Property
from workbench.engines.explore.search import Hits, SearchOutcome
from workbench.engines.explore.trace import Trace

HOLDS, FAILS, BOUNDED = "HOLDS", "FAILS", "BOUNDED"


@dataclass(frozen=True)
class Finding:
    """A violated property. `states`: how many reachable states violate it (0 for a `sometimes` property).

    `trace` is a shortest path to the first of them; None for a `sometimes` property, which no single trace
    can show to fail.
    """

    code: str
    name: str
    states: int
    trace: Trace | None

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
    `hits` has, by property code, the number of states that violate (always) or reach (sometimes) it.
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
    stands_for: int | None = None
    witness: Callable[[str], Trace | None] = field(repr=False, default=lambda code: None)

    @property
    def verdict(self) -> str:
        """FAILS if any property fails, else BOUNDED if any is, else HOLDS."""
        said = set(self.verdicts.values())
        if FAILS in said:
            return FAILS
        return BOUNDED if BOUNDED in said or self.limit is not None else HOLDS

    @property
    def bytes_per_state(self) -> float:
        """Bytes that the engine kept for each state."""
        return self.stored / self.states

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
            "deadlock": None if self.deadlock is None else self.deadlock.as_json(),
            "findings": [finding.as_json() for finding in self.findings],
        }


def verdict_of(prop: Property, hits: Hits, outcome: SearchOutcome) -> str:
    """The verdict of one property after a search."""
    if prop.kind == "always":
        if hits.count:
            return FAILS
        return HOLDS if outcome.limit is None else BOUNDED
    if hits.count:
        return HOLDS
    return FAILS if outcome.limit is None else BOUNDED
