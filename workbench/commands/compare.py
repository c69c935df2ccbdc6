"""``workbench compare``: the chosen protocols under the chosen events, side by side."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from workbench.commands import _options

if TYPE_CHECKING:
    import pandas

    from workbench.present.report_text import Parameters


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "compare", help="compare protocols: exits, state, memory, fates", description=__doc__, allow_abbrev=False
    )
    _options.describe(parser, "workbench compare --vcpus 64 --protocols generic,per_feature,my/file.py:Mine")
    _options.add_subject(parser)
    _options.add_names(parser, "--metrics", "metrics (default all)")
    _options.add_output(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Measure, and write the table."""
    from workbench.measure import compare

    parameters = parameters_of(args, "compare")
    table = compare(
        parameters.subjects,
        [event.name for event in parameters.events],
        _options.unique(args.features),
        args.vcpus,
        _options.unique(args.metrics),
        parameters.cost_model,
        args.seed,
    )
    write(args, _render(args.format, table, parameters))
    return 0


def parameters_of(args: argparse.Namespace, command: str) -> Parameters:
    """Return what ``args`` asks for, all names resolved; raise WorkbenchError for one that is unknown."""
    from workbench import features, lifecycle
    from workbench.measure import cost, metrics
    from workbench.measure.runs import possible
    from workbench.measure.subjects import DEFAULT, subjects
    from workbench.present.report_text import Parameters

    chosen = subjects(args.protocols or DEFAULT)
    wanted = _options.unique(args.metrics)
    _options.require(
        wanted is None or metrics.COST not in wanted or args.cost_model is not None,
        f"the metric {metrics.COST} needs a cost model; known: {', '.join(cost.known())}",
    )
    metrics.choose(wanted)
    events = lifecycle.choose(_options.unique(args.events))
    happening = possible(events, args.vcpus) if args.events is None else events
    return Parameters(
        chosen,
        features.choose(_options.unique(args.features)),
        happening,
        args.vcpus,
        args.seed,
        cost.load(args.cost_model) if args.cost_model is not None else None,
        _options.command_line(command, args),
        tuple(event for event in events if event not in happening),
    )


def _render(form: str, table: pandas.DataFrame, parameters: Parameters) -> str:
    from workbench.present import export, report_text

    if form == "json":
        return export.as_json(table)
    if form == "csv":
        return export.as_csv(table)
    found = report_text.comparison(table, parameters)
    if form == "markdown":
        return report_text.as_markdown_text(found, parameters)
    return report_text.as_plain_text(found, parameters)


def write(args: argparse.Namespace, text: str) -> None:
    """Write ``text`` to the file that was asked for, or to stdout."""
    from workbench.present.files import write_file

    if args.output is not None:
        write_file(args.output, text)
    else:
        sys.stdout.write(text)
