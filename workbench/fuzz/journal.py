"""Records the finished sequences of a campaign: in a store (``durable.store``), or in memory only.

The rules kept here: a sequence is recorded only when it is finished, so if the process ends, at most the sequences in
progress are lost, and they are run again; sequences of another seed, length, generator, protocol or version of this
program are another campaign, which may be in the same store.

What a campaign comes to is counted in the order of its sequences (:meth:`Journal.first`): which others were finished
by then depends on the number of processes, and is not counted.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from math import inf
from typing import Any, NamedTuple

from workbench.durable.store import Store, key_of


class Entry(NamedTuple):
    """One finished sequence."""

    sequence: int
    operations: int  #: compared
    known: Mapping[str, int]  #: explained differences, by known divergence or exclusion
    finding: str = ""  #: the replay file of an unexplained one


class Count(NamedTuple):
    """What the first sequences of a campaign come to."""

    sequences: int
    operations: int
    known: dict[str, int]
    findings: tuple[str, ...]


class Journal:
    """The finished sequences of the campaign that ``head`` describes."""

    def __init__(self, store: Store, head: Mapping[str, Any]) -> None:
        """Take up what the store has of this campaign."""
        self.done: dict[int, Entry] = {}
        self.operations = 0
        self.known: Counter[str] = Counter()
        self.findings: list[str] = []
        self.upto, self.before = 0, 0  #: the first sequence that is not done, and the operations of those before it
        self._store, self._head = store, json.dumps(head, sort_keys=True)
        _, about = key_of("sequences", self._head)
        self._sort = f"sequences of {hashlib.sha256(about.encode()).hexdigest()}"
        for piece in store.all(self._sort):
            self._count(Entry(*piece))
        store.counts.append(lambda: f"{len(self.done)} sequences, {self.operations} operations")

    def add(self, entries: Iterable[Entry]) -> None:
        """Record finished sequences; they are safe from then on."""
        for entry in entries:
            if self._store.folder is not None:
                self._store.put(self._sort, *key_of(self._sort, entry.sequence), entry)
            self._count(entry)

    def so_far(self) -> Count:
        """Count all sequences that are finished."""
        return Count(len(self.done), self.operations, dict(self.known), tuple(self.findings))

    def first(self, operations: float = inf, findings: float = inf) -> Count:
        """Count the sequences in order, up to the one with which there are this many operations or findings."""
        counted, sequences, known = 0, 0, Counter[str]()
        found: list[str] = []
        for _, entry in sorted(self.done.items()):
            if counted >= operations or len(found) >= findings:
                break
            sequences, counted = sequences + 1, counted + entry.operations
            known.update(entry.known)
            found += [entry.finding] if entry.finding else []
        return Count(sequences, counted, dict(known), tuple(found))

    def _count(self, entry: Entry) -> None:
        if entry.sequence in self.done:
            return
        self.done[entry.sequence] = entry
        self.operations += entry.operations
        self.known.update(entry.known)
        self.findings += [entry.finding] if entry.finding else []
        while self.upto in self.done:
            self.before += self.done[self.upto].operations
            self.upto += 1
