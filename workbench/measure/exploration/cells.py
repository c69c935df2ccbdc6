"""The cells of the failure matrix: the verdict on one property, of one exploration or of several sizes together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from workbench.checking.failures import FAILURES, Failure
from workbench.engines.explore import BOUNDED, BROKE_OFF, FAILS, HOLDS, NOT_EXERCISED, VERDICTS
from workbench.measure.exploration.explore import Exploration, Question, TraceRow
from workbench.measure.label import Label, joined

#: The note of a size that the user's stop has left out.
INTERRUPTED = "interrupted"


class Violator(NamedTuple):
    """What violates a property (a feature, or "descriptor"), at which size, in how many states, after how many steps at
    the earliest.
    """

    what: str
    vcpus: int
    features: str
    reads: int
    states: int
    steps: int


class Cell(NamedTuple):
    """One record of the matrix. ``premise``: the states of its size in which the property is about something.

    ``violators`` are those of all sizes.
    """

    protocol: str
    event: str
    property: str
    verdict: str
    states: int
    steps: int | None  #: of the shortest trace; None where there is none
    name: str
    vcpus: int
    features: str
    mitigations: tuple[str, ...]
    premise: int
    note: str = ""  #: why not all states were seen, at this size or another; empty if they were
    violators: tuple[Violator, ...] = ()
    trace: tuple[TraceRow, ...] | None = None

    def label(self) -> Label:
        """Return the label of the protocol with its mitigations."""
        return Label(self.protocol, self.mitigations)

    def record(self) -> dict[str, Any]:
        """Return the cell as a flat record, without the trace; the violators are named once each."""
        named = ",".join(dict.fromkeys(violator.what for violator in self.violators))
        found = self._asdict() | {"mitigations": joined(self.mitigations), "violators": named}
        del found["trace"]
        return found


def cells_of(exploration: Exploration) -> Iterator[Cell]:
    """Yield a cell for each failure that was checked."""
    question, result = exploration.question, exploration.result
    features = ",".join(feature.name for feature in question.features)
    for failure in exploration.failures:
        verdict = result.verdicts[failure.code]
        trace = exploration.trace(failure) if verdict == FAILS else None
        yield Cell(
            question.variant.kind.name,
            question.event.name,
            failure.code,
            verdict,
            result.states,
            None if trace is None else len(trace),
            failure.name,
            question.vcpus,
            features,
            question.variant.mitigations,
            result.premises[failure.code],
            result.limit or "",
            tuple(violators(exploration, failure)),
            trace,
        )


def lacking(question: Question, failures: Sequence[Failure]) -> Iterator[Cell]:
    """Yield a cell for each failure at a size that was not explored, because the user stopped before."""
    protocol, vcpus = question.variant, question.vcpus
    features = ",".join(feature.name for feature in question.features)
    for failure in failures:
        yield Cell(
            protocol.kind.name, question.event.name, failure.code, BOUNDED, 0, None, failure.name, vcpus, features,
            protocol.mitigations, 0, INTERRUPTED,
        )  # fmt: skip


def violators(exploration: Exploration, failure: Failure) -> Iterator[Violator]:
    """Yield what violates a property in an exploration, each once; a property may name nothing."""
    question, finding = exploration.question, exploration.finding(failure)
    features = ",".join(feature.name for feature in question.features)
    for what, found in {} if finding is None else finding.culprits.items():
        yield Violator(what, question.vcpus, features, question.bounds.reads, found.states, found.steps)


def merged(cells: Sequence[Cell]) -> Cell:
    """Return the cell of a property explored at several sizes: the one that decides, with the violators of all.

    A cell that lacks a size, because the user stopped before, is BOUNDED, whatever the other sizes have shown.
    """
    if any(cell.note == INTERRUPTED for cell in cells):
        return _unfinished(cells)
    # "sometimes" holds if it happens at one size; "always" fails if it is violated at one size.
    sometimes = FAILURES[cells[0].property].kind == "sometimes"
    order = (BROKE_OFF, HOLDS, BOUNDED, FAILS, NOT_EXERCISED) if sometimes else VERDICTS
    verdict = next(verdict for verdict in order if any(cell.verdict == verdict for cell in cells))
    decisive = [cell for cell in cells if cell.verdict == verdict]
    traced = [cell for cell in decisive if cell.steps is not None]
    if traced:
        chosen = min(traced, key=lambda cell: (cell.steps, cell.vcpus, cell.features))
    else:
        chosen = max(decisive, key=lambda cell: (cell.states, cell.features))
    note = "; ".join(dict.fromkeys(cell.note for cell in cells if cell.note))
    return chosen._replace(note=note, violators=tuple(violator for cell in cells for violator in cell.violators))


def _unfinished(cells: Sequence[Cell]) -> Cell:
    explored = [cell for cell in cells if cell.note != INTERRUPTED]
    note = f"{INTERRUPTED}: {len(explored)} of {len(cells)} sizes explored"
    if any(cell.verdict == FAILS for cell in explored):
        note += ", FAILS at one of them"
    first = next(cell for cell in cells if cell.note == INTERRUPTED)
    states = max((cell.states for cell in explored), default=0)
    found = tuple(violator for cell in explored for violator in cell.violators)
    return first._replace(states=states, note=note, violators=found)


def is_final(limit: str | None, max_states: int | None) -> bool:
    """Tell whether a search that ended so ends so each time: it saw all states, or as many as it was allowed.

    What the machine's memory, a failing program or the user stopped may go further the next time.
    """
    return not limit or limit == f"limit of {max_states} states"


def is_unfinished(cell: Cell) -> bool:
    """Tell whether the cell lacks a size, because the user stopped before it was explored."""
    return cell.note.startswith(INTERRUPTED)


def as_piece(cell: Cell) -> dict[str, Any]:
    """Return a cell as data that JSON holds, without its trace."""
    found = cell._asdict()
    del found["trace"]
    return found


def of_piece(piece: Mapping[str, Any]) -> Cell:
    """Return what :func:`as_piece` was given, without the trace."""
    named = tuple(Violator(*violator) for violator in piece["violators"])
    return Cell(**{**piece, "mitigations": tuple(piece["mitigations"]), "violators": named})


def counted(cells: Iterable[Cell]) -> dict[str, int]:
    """Return how many cells have each verdict, the gravest verdict first; verdicts of no cell are left out."""
    count = Counter(cell.verdict for cell in cells)
    return {verdict: count[verdict] for verdict in VERDICTS if count[verdict]}


__all__ = [
    "INTERRUPTED", "Cell", "Violator", "as_piece", "cells_of", "counted", "is_final", "is_unfinished", "lacking",
    "merged", "of_piece", "violators",
]  # fmt: skip
