"""``workbench verdict``: the page that decides. A row for each design, and every column decided by running it.

Exits, state, what one more feature costs, which failures remain and what their repairs cost, what is left behind by a
kernel that ends, likeness to hardware. ``--why DESIGN:COLUMN`` shows what is behind a cell and the command that shows
it; ``--weigh migration=3,exits=1`` adds a ranking by your own weights.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options

if TYPE_CHECKING:
    from workbench.durable.store import Store
    from workbench.measure.verdict.page import Page


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "verdict", run, "the page that decides: designs by what runs say of them",
        description=__doc__, example="workbench verdict generic per_feature my/file.py:Mine --weigh migration=3",
    )  # fmt: skip
    add_what(parser)
    parser.add_argument("--why", metavar="DESIGN:COLUMN", help="show the evidence for one cell instead of the page")
    parser.add_argument("--weigh", metavar="WORD=N,...", help="add a ranking by your own weights: migration=3,exits=1")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def add_what(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is asked."""
    parser.add_argument("protocols", nargs="*", metavar="PROTOCOL",
                        help="protocols as in compare (default: all that ship, but null)")  # fmt: skip
    _options.add_names(parser, "--features", "features, by name, all, or path/to/file.py:Class (default: of each ABI)")
    _options.add_names(parser, "--events", "events that are explored (default: one of each kind; all: every one)")
    parser.add_argument("--quick", action="store_true", help="explore each design with its first feature alone")
    parser.add_argument("--no-repairs", dest="repairs", action="store_false",
                        help="do not explore designs with their mitigations (half of the time)")
    _options.add_jobs(parser)
    _options.add_state(parser, "searches")


def run(args: argparse.Namespace) -> int:
    """Ask every design every column, and write the page, or the evidence for one cell."""
    from workbench.measure.verdict.ranking import ranking, weights
    from workbench.present import records
    from workbench.present.text import verdict as texts

    weighed = weights(args.weigh) if args.weigh else {}
    design, column = _cell_of(args.why) if args.why else ("", "")
    if design and not args.protocols:
        args.protocols = [design]
    with _options.opened_state(args) as store:
        page = answered(args, store)
    if args.why:
        text = texts.why_text(page, design, column)
    elif args.format == "text":
        text = texts.verdict_text(page, ranking(page, weighed), weighed)
    else:
        flat = texts.records(page)
        text = records.as_json(flat) if args.format == "json" else records.as_csv(flat)
    _options.write(args, text)
    return _options.status_of({cell.verdict for row in page.asked.values() for cell in row.verdicts})


def _cell_of(text: str) -> tuple[str, str]:
    """Return (design, column) of ``--why``; raise WorkbenchError if it is not written so, or for an unknown column."""
    from workbench.errors import WorkbenchError, unknown
    from workbench.measure.verdict.columns import COLUMNS

    design, colon, column = text.rpartition(":")
    if not colon or not design:
        raise WorkbenchError(f"--why is {text!r}; DESIGN:COLUMN is expected, for example generic:fails")
    if column not in COLUMNS:
        raise unknown("column", column, COLUMNS)
    return design, column


def answered(args: argparse.Namespace, store: Store) -> Page:
    """Return the page that the options of :func:`add_what` ask for."""
    from workbench.core.catalogue import ALL
    from workbench.durable.efforts import Efforts
    from workbench.measure.variants import variants
    from workbench.measure.verdict.page import page
    from workbench.measure.verdict.scope import EVENTS, Scope
    from workbench.present.progress import Progress
    from workbench.protocols import PROTOCOLS

    say, efforts = Progress(), Efforts()
    texts = [
        one
        for text in _options.unique(args.protocols) or [name for name in PROTOCOLS if name != "null"]
        for one in (PROTOCOLS if text == ALL else (text,))
    ]
    features = _options.unique(args.features)
    scope = Scope(
        None if features is None else tuple(features), tuple(_options.unique(args.events) or EVENTS), args.quick,
        args.repairs,
    )  # fmt: skip

    with _options.workers(args) as jobs:
        return page(
            dict(zip(texts, variants(texts), strict=True)),
            scope,
            jobs=jobs,
            progress=say.searches(efforts),
            efforts=efforts,
            asking=say.counting("designs asked"),
            state=store,
        )
