"""All combinations of some designs and features, as rows: one for each design, combination and feature."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workbench.core import own_files
from workbench.core.contracts import Feature
from workbench.errors import unknown
from workbench.measure.skew.combinations import NEW, PARTS, Combination, Growth
from workbench.measure.skew.run import LOST, NOTHING, SEVERITY, WORSE, Ran, run
from workbench.measure.variants import Variant, features_of

#: Verdicts that need a trace: nobody is told.
BAD = (LOST, WORSE)


class Row(NamedTuple):
    """One run. ``why`` is the same for runs alike, ``seen`` names places.

    ``command`` shows the steps; ``fates`` and ``failures`` (codes) are separated by commas.
    """

    protocol: str
    part: str
    combination: str
    feature: str
    verdict: str
    why: str
    seen: str
    fates: str
    failures: str
    engine: str
    vcpus: int
    command: str


@dataclass(frozen=True)
class Cell:
    """One combination of one design: how many features have each verdict, the worst first."""

    counts: tuple[tuple[str, int], ...]

    @property
    def verdict(self) -> str:
        """The worst verdict."""
        return self.counts[0][0]

    @property
    def text(self) -> str:
        """The verdict, or each with how many features have it: "lost 6, works 2"."""
        return self.verdict if len(self.counts) == 1 else ", ".join(f"{word} {number}" for word, number in self.counts)

    @property
    def short(self) -> str:
        """The worst verdict, with how many features have it if not all do: "lost 6/8"."""
        of = sum(number for _, number in self.counts)
        return self.verdict if len(self.counts) == 1 else f"{self.verdict} {self.counts[0][1]}/{of}"


def parts_named(names: Iterable[str] | None) -> tuple[str, ...]:
    """Return the names of parts in the table's order, all for None; raise WorkbenchError for an unknown one."""
    chosen = list(PARTS) if names is None else list(names)
    for name in chosen:
        if name not in PARTS:
            raise unknown("part", name, PARTS)
    return tuple(part for part in PARTS if part in chosen)


def rows(
    chosen: Sequence[Variant], features: Iterable[str | Feature] | None = None, parts: Iterable[str] | None = None, *,
    vcpus: int = 1, named: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> list[Row]:  # fmt: skip
    """Return a row for each run. ``features``: None means those of each design's own ABI, otherwise KVM's.

    ``named``: designs as a command line names them, by label.

    Raises WorkbenchError for an unknown name, and for a run without an end.
    """
    todo = [
        (one, part, what)
        for one in chosen for part in parts_named(parts) for what in PARTS[part][1]
    ]  # fmt: skip
    carried = {one.label: features_of(one, features) for one in chosen}
    found = []
    for number, (one, part, what) in enumerate(todo, 1):
        for feature in carried[one.label]:
            ran = run(one, feature, what, vcpus)
            found.append(_row(ran, part, vcpus, (named or {}).get(one.label, one.label)))
        if progress is not None:
            progress(number, len(todo))
    return found


def _row(ran: Ran, part: str, vcpus: int, name: str) -> Row:
    feature = own_files.named(ran.feature)
    command = ["workbench", "skew", "--protocols", name, "--features", feature, "--trace", str(ran.what)]
    if vcpus > 1:
        command += ["--vcpus", str(vcpus)]
    return Row(
        ran.variant.label, part, str(ran.what), ran.feature.name, ran.verdict, ran.judged.why, ran.judged.seen,
        ",".join(dict.fromkeys(fate.value for fate in ran.fates)), ",".join(ran.codes), "simulate", vcpus,
        shlex.join(command),
    )  # fmt: skip


def cells(found: Iterable[Row]) -> dict[tuple[str, str, str], Cell]:
    """Return {(part, combination, protocol): the worst verdict of its features}."""
    groups: dict[tuple[str, str, str], list[Row]] = {}
    for row in found:
        groups.setdefault((row.part, row.combination, row.protocol), []).append(row)
    return {key: _cell(several) for key, several in groups.items()}


def _cell(several: Sequence[Row]) -> Cell:
    """Return what features come to; one to which the combination does not apply counts only if none is left."""
    said = [row.verdict for row in several]
    counts = [(word, said.count(word)) for word in reversed(SEVERITY) if word in said]
    return Cell(tuple(one for one in counts if one[0] != NOTHING or len(counts) == 1))


def worst_run(
    chosen: Variant, features: Iterable[str | Feature] | None, what: Combination | Growth, vcpus: int = 1
) -> Ran:
    """Return the run of the feature whose verdict is the worst, the first of several; ``features``: as in rows."""
    several = (run(chosen, one, what, vcpus) for one in features_of(chosen, features))
    return max(several, key=lambda ran: SEVERITY.index(ran.verdict))


def by_the_rules(found: Iterable[Row]) -> list[Row]:
    """Return the runs in which everybody keeps the rules of CPUID: it offers what is known, and the guest looks."""
    return [row for row in found if row.part in ("boot", "move") and row.combination.startswith(f"{NEW}/")
            and ":" not in row.combination and row.verdict != NOTHING]  # fmt: skip


def bad_share(found: Iterable[Row], protocol: str) -> tuple[int, int]:
    """Return how many runs of a design end in a verdict of BAD, and how many there are."""
    own = [row.verdict for row in found if row.protocol == protocol and row.verdict != NOTHING]
    return sum(verdict in BAD for verdict in own), len(own)


__all__ = ["BAD", "Cell", "Row", "bad_share", "by_the_rules", "cells", "parts_named", "rows", "worst_run"]
