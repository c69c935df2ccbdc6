"""``workbench history``: explore real bugs, each modelled as it was (must fail) and as it was fixed (must hold)."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from workbench.commands import _options

if TYPE_CHECKING:
    from workbench.durable.share import Jobs
    from workbench.durable.store import Store
    from workbench.history import Case
    from workbench.history.table import Told
    from workbench.present.text.table import Table


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "history", run, "explore real bugs, as they were and as fixed",
        description=__doc__,
        example="workbench history --bug B4,K15",
    )  # fmt: skip
    _options.add_names(parser, "--bug", "bugs (B1 to B23, K1 to K23, V1 to V8) or cases, with traces (default all)")
    _options.add_jobs(parser, "1")
    _options.add_state(parser, "cases")
    _options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Explore the cases and write the table; status 1 if any real bug is not reproduced."""
    from workbench.history import choose

    cases = choose(_options.unique(args.bug))
    with _options.opened_state(args) as store:
        with _options.workers(args, default=1) as jobs:
            outcomes = tuple(_told(cases, store, jobs))
        _options.write(args, _render(args.format, outcomes, is_all=args.bug is None))
    return 0 if all(outcome.reproduced for outcome in outcomes) else 1


def _told(cases: Sequence[Case], store: Store, jobs: Jobs) -> Iterator[Told]:
    """Yield what is printed of each case, explored now or kept from an earlier run."""
    from workbench.durable.content import described
    from workbench.history.table import Told
    from workbench.present.progress import Progress

    say, batch = Progress().counting("cases"), store.batch("cases", [described(case) for case in cases])

    def complete(piece: list[Any]) -> bool:
        return bool(piece[-1])

    pieces = batch.shared(_exploring, [[case.name for case in cases]], jobs, complete=complete, progress=say)
    for case, piece in zip(cases, pieces, strict=True):
        yield Told(case, *piece)


def _piece(case: Case) -> list[Any]:
    from workbench.history import explore_cases
    from workbench.history.table import told

    (outcome,) = explore_cases([case])
    return [*told(outcome)[1:]]


@contextmanager
def _exploring(names: list[str]) -> Iterator[tuple[None, Callable[[int], list[Any]]]]:
    """Begin in a worker (``durable.share``)."""
    from workbench.history import choose

    cases = choose(names)
    yield None, lambda number: _piece(cases[number])


def _render(form: str, outcomes: Sequence[Told], *, is_all: bool) -> str:
    from workbench.history.table import left_out, record
    from workbench.present import records

    if form == "markdown":
        return _as_markdown(outcomes, is_all)
    if form == "text":
        return _as_text(outcomes, is_all)
    found = [record(outcome) for outcome in outcomes] + (left_out() if is_all else [])
    return records.as_indented_json(found) if form == "json" else records.as_csv(found)


# -- text -------------------------------------------------------------------------------------------------


def _as_text(outcomes: Sequence[Told], is_all: bool) -> str:
    from workbench.present.text.table import as_text

    tables = [_verdicts(outcomes, is_all), _meanings(outcomes)]
    if is_all:
        tables.append(_left_out())
    else:
        tables.append(_stories(outcomes))
        tables += [_trace(outcome) for outcome in outcomes if outcome.steps is not None]
    return "\n".join(map(as_text, tables))


def _verdicts(outcomes: Sequence[Told], is_all: bool) -> Table:
    from workbench.history.table import summary, titles
    from workbench.present.text.table import Column, Table

    columns = [
        Column("bug"),
        Column("case"),
        Column("as it was, FAILS"),
        *(Column(name, "as it was") for name in ("steps", "states")),
        *(Column(name, "as fixed") for name in ("", "states")),
    ]
    rows = [
        [
            " ".join(outcome.case.bugs),
            outcome.case.name,
            titles(outcome.failed) or "nothing",
            "-" if outcome.steps is None else outcome.steps,
            outcome.states,
            outcome.fixed_verdict,
            outcome.fixed_states,
        ]
        for outcome in outcomes
    ]
    notes = [summary(outcomes, is_all=is_all) + "."]
    left = [f"{outcome.case.name} ({titles(outcome.left)})" for outcome in outcomes if outcome.left]
    if left:
        notes.append(f"The fixed design fails in something else: {'; '.join(left)}.")
    return Table("bugs of history", columns, rows, labels=2, notes=notes)


def _meanings(outcomes: Sequence[Told]) -> Table:
    from workbench.history import ASKED
    from workbench.present.text.table import Table

    codes = sorted({code for outcome in outcomes for code in (*outcome.case.fails, *outcome.left)})
    notes = [f"{ASKED[code].title} ({code}): {ASKED[code].what}" for code in codes]
    return Table("failures", [], [], notes=notes)


def _stories(outcomes: Sequence[Told]) -> Table:
    from workbench.present.text.table import Table

    notes = [
        f"{outcome.case.name}: {outcome.case.title}. Source: {outcome.case.source} ({outcome.case.evidence}). "
        f"Fix: {outcome.case.fix}."
        for outcome in outcomes
    ]
    return Table("what happened", [], [], notes=notes)


def _left_out() -> Table:
    from workbench.history import BUGS, LEFT_OUT
    from workbench.present.text.table import Table

    notes = [f"{bug} ({BUGS[bug]}): {reason}" for bug, reason in LEFT_OUT.items()]
    return Table("left out", [], [], notes=notes)


def _trace(outcome: Told) -> Table:
    from workbench.history import ASKED
    from workbench.measure.exploration.ending import Ending
    from workbench.present.text.table import Cell, Column, Table
    from workbench.present.text.trace import ending_text

    code = outcome.case.fails[0]
    rows: list[list[Cell]] = [[number, who, what] for number, (who, what) in enumerate(outcome.trace, 1)]
    columns = [Column("step"), Column("who"), Column("what")]
    notes = [] if outcome.ending is None else [" ".join(ending_text(ASKED[code], Ending(*outcome.ending)).split())]
    title = f"{outcome.case.name}: shortest trace to {ASKED[code].title} ({code})"
    return Table(title, columns, rows, labels=3, notes=notes)


# -- Markdown -----------------------------------------------------------------------------------------------

_PREAMBLE = """\
# Real bugs as a test of the explorer

Written by `workbench history --format markdown --output docs/history.md`; a test compares.

These are real bugs of memory shared between guests and hypervisors. Each is modelled as it was, under the event that
exposed it: the explorer must find the failure that really happened in some interleaving. Modelled as fixed, that
failure must not occur in any interleaving, and something must still register. NOT EXERCISED says more than HOLDS here:
the fix makes sure that what the failure is about never comes about. [Failures](#failures) explains each failure.

The models are in `workbench/history/broken/`, one small file each; their numbered clauses say how they differ from the
design they are derived from, and the mitigations are the fixes. A model has the mechanism of a bug, not its code.
"""


def _as_markdown(outcomes: Sequence[Told], is_all: bool) -> str:
    from workbench.history import BUGS, EVIDENCE, LEFT_OUT
    from workbench.history.table import summary, titles
    from workbench.present.text.table import Column, Table, as_markdown

    heads = ("bug", "what happened", "as it was", "as fixed", "fixed still fails", "source", "evidence", "fix")
    rows = [
        [
            " ".join(outcome.case.bugs),
            outcome.case.title,
            "FAILS: " + titles(outcome.failed) if outcome.failed else "HOLDS",
            outcome.fixed_verdict,
            titles(outcome.left) or "-",
            outcome.case.source,
            outcome.case.evidence,
            outcome.case.fix,
        ]
        for outcome in outcomes
    ]
    parts = [_PREAMBLE, as_markdown(Table("Cases", [Column(head) for head in heads], rows))]
    parts.append(summary(outcomes, is_all=is_all) + ".\n")
    parts.append(as_markdown(_codes(outcomes)))
    if is_all:
        why = [[bug, BUGS[bug], reason] for bug, reason in LEFT_OUT.items()]
        parts.append(as_markdown(Table("Left out", [Column(head) for head in ("bug", "what", "why")], why)))
        parts += [as_markdown(table) for table in _sources()]
    listed = [[bug, title] for bug, title in BUGS.items()]
    parts.append(as_markdown(Table("The bugs", [Column("bug"), Column("what")], listed)))
    marks = [[word, meaning] for word, meaning in EVIDENCE.items()]
    parts.append(as_markdown(Table("Evidence", [Column("mark"), Column("meaning")], marks)))
    return "\n".join(parts)


def _sources() -> Iterator[Table]:
    """Yield the table of the claims against their sources, and the meaning of its marks."""
    from workbench.history.sources import HOW, SOURCES, counted, rows
    from workbench.present.text.table import Column, Table

    heads = ("row", "source", "what it says, in our words", "compared by", "what was read", "what was wrong")
    found = [[name, source, one.says, one.how, one.read or "-", one.was_wrong or "-"] for name, source, one in rows()]
    yield Table("Claims and sources", [Column(head) for head in heads], found, notes=[counted(SOURCES.values())])
    marks = [[mark, meaning] for mark, meaning in HOW.items()]
    yield Table("How a claim was compared", [Column("mark"), Column("meaning")], marks)


def _codes(outcomes: Sequence[Told]) -> Table:
    from workbench.history import ASKED
    from workbench.present.text.table import Column, Table

    codes = sorted({code for outcome in outcomes for code in (*outcome.case.fails, *outcome.left)})
    rows = [[ASKED[code].title, code, ASKED[code].what] for code in codes]
    return Table("Failures", [Column("failure"), Column("code"), Column("what happens")], rows)
