"""The limits that every search engine takes, and the outcome that it returns.

Rule kept here: a limit that stops a search is part of the outcome; nothing is concluded about states that
were not visited.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field

from workbench.engines.explore.marks import Marks

State = tuple[int, ...]
PROGRESS_EVERY = 0.25  # seconds
HANDED_OVER = "handed over to another engine"  # the limit of a search that another engine continues


@dataclass(frozen=True)
class Progress:
    """The progress of a search: distinct states so far, states waiting in this level, states per second."""

    states: int
    frontier: int
    depth: int
    rate: float


@dataclass
class Limits:
    """When to stop. `max_bytes` bounds what the engine itself stores, in bytes; `threads` may share the work."""

    max_states: int | None = None
    max_bytes: int | None = None
    stop_at_first: bool = False
    progress: Callable[[Progress], None] | None = None
    threads: int = 1
    started: float = field(default_factory=time.perf_counter)
    _reported: float = 0.0

    def exceeded(self, states: int, stored: int) -> str | None:
        """The reason to stop now, if there is one."""
        if self.max_states is not None and states > self.max_states:
            return f"limit of {self.max_states} states"
        if self.max_bytes is not None and stored > self.max_bytes:
            return f"limit of {self.max_bytes} bytes"
        return None

    def seconds(self) -> float:
        """Seconds since the search began."""
        return time.perf_counter() - self.started

    def report(self, states: int, frontier: int, depth: int) -> None:
        """Report progress to the caller, a few times a second."""
        now = self.seconds()
        if self.progress is not None and now - self._reported >= PROGRESS_EVERY:
            self._reported = now
            self.progress(Progress(states, frontier, depth, states / now if now else 0.0))


@dataclass
class Hits:
    """The states that meet a condition: how many, and the first of them with its depth."""

    count: int = 0
    depth: int = 0
    state: State | None = None

    def add(self, count: int, depth: int, state: State) -> None:
        """Count states of one level; the first call decides which is the first."""
        if self.state is None:
            self.depth, self.state = depth, state
        self.count += count


@dataclass
class SearchOutcome:
    """The outcome of a search. `hits` counts the states by mark (see `marks`), only those that were met."""

    engine: str
    states: int = 0
    transitions: int = 0
    depth: int = 0
    seconds: float = 0.0
    stored: int = 0
    limit: str | None = None
    hits: defaultdict[int, Hits] = field(default_factory=lambda: defaultdict(Hits))
    deadlocks: Hits = field(default_factory=Hits)
    stands_for: int | None = None

    def violates(self, marks: Marks) -> bool:
        """Whether an `always` property is violated in a state seen so far."""
        return any(number in self.hits and not wanted for number, wanted in enumerate(marks.wanted))
