"""``workbench compare``: compare the chosen protocols under the chosen events, side by side."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options

if TYPE_CHECKING:
    from workbench.measure.rows import Row
    from workbench.present.text.report import Parameters


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "compare", run, "compare protocols: exits, state, memory, fates",
        description=__doc__,
        example="workbench compare --vcpus 64 --protocols generic,per_feature,my/file.py:Mine",
    )  # fmt: skip
    _options.add_subject(parser)
    _options.add_names(parser, "--metrics", "metrics (default all)")
    _options.add_state(parser, "runs")
    _options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Measure, and write the table; status 1 if a program failed and broke off its run."""
    from dataclasses import replace

    from workbench.measure.comparison.compare import compared
    from workbench.present.progress import Progress

    parameters, broken = _options.parameters("compare", args), list[str]()
    with _options.opened_state(args) as store:
        rows = compared(
            parameters.variants,
            parameters.events,
            parameters.features if parameters.named else None,
            args.vcpus,
            _options.unique(args.metrics),
            parameters.cost_model,
            args.seed,
            Progress().counting("events"),
            broken,
            store,
        )
        for why in broken:
            Progress().note(why)
        _options.write(args, _render(args.format, rows, replace(parameters, broken=tuple(broken))))
    return 1 if broken else 0


def _render(form: str, rows: list[Row], parameters: Parameters) -> str:
    from workbench.measure.rows import COLUMNS
    from workbench.present import records
    from workbench.present.text import report as report_text

    if form == "json":
        return records.as_json(row._asdict() for row in rows)
    if form == "csv":
        return records.as_csv((row._asdict() for row in rows), COLUMNS)
    found = report_text.comparison(rows, parameters)
    if form == "markdown":
        return report_text.as_markdown_text(found, parameters)
    return report_text.as_plain_text(found, parameters)
