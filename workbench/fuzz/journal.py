"""Records the finished sequences of a campaign: in a store (``durable.store``), or in memory only.

The rules kept here: a sequence is recorded only when it is finished, so if the process ends, at most the sequences in
progress are lost, and they are run again; sequences of another seed, length, generator, protocol or version of this
program are another campaign, which may be in the same store.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from workbench.durable.store import Store, key_of


class Entry(NamedTuple):
    """One finished sequence."""

    sequence: int
    operations: int  #: compared
    known: Mapping[str, int]  #: explained differences, by explanation
    finding: str = ""  #: the replay file of an unexplained one


class Journal:
    """The finished sequences of the campaign that ``head`` describes."""

    def __init__(self, store: Store, head: Mapping[str, Any]) -> None:
        """Take up what the store has of this campaign."""
        self.done: set[int] = set()
        self.operations = 0
        self.known: Counter[str] = Counter()
        self.findings: list[str] = []
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

    def _count(self, entry: Entry) -> None:
        if entry.sequence in self.done:
            return
        self.done.add(entry.sequence)
        self.operations += entry.operations
        self.known.update(entry.known)
        if entry.finding:
            self.findings.append(entry.finding)
