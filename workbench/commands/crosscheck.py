"""``workbench crosscheck``: run the explorer and the SPIN model checker on the same models and compare their results.

Exit status: 0 if all numbers and verdicts are equal, 1 if not.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.measure.exploration.crosscheck import Compared, Setting



def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "crosscheck", run, "compare the explorer with the SPIN checker (needs spin and gcc)",
        description=__doc__,
        example="workbench crosscheck --protocols generic,my/file.py:Mine --events migrate,boot",
    )  # fmt: skip
    _options.add_names(parser, "--protocols", "protocols as in compare (default: those known)")
    _options.add_names(parser, "--events", "lifecycle events, of those that have a model (default all)")
    _options.add_names(parser, "--property", "properties by code or name (default all)")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def run(args: argparse.Namespace) -> int:
    """Explore, export, run SPIN, and write the results of both."""
    from workbench.checking.failures import choose as choose_failures
    from workbench.measure.exploration.crosscheck import crosscheck
    from workbench.measure.variants import variants
    from workbench.present.progress import Progress
    from workbench.protocols import PROTOCOLS

    found = crosscheck(
        variants(args.protocols or PROTOCOLS),
        _settings(args),
        choose_failures(_options.unique(args.property)),
        Progress().counting("models"),
    )
    _options.write(args, _render(args.format, found))
    return 0 if all(compared.equal for compared in found) else 1


def _settings(args: argparse.Namespace) -> list[Setting]:
    from workbench.measure.exploration.crosscheck import SETTINGS

    known = {setting.event: setting for setting in SETTINGS}
    wanted = _options.unique(args.events) or list(known)
    for name in wanted:
        if name not in known:
            raise WorkbenchError(f"no model for event {name!r}; known: {', '.join(known)}")
    return [setting for name, setting in known.items() if name in wanted]


def _render(form: str, found: list[Compared]) -> str:
    from workbench.present import records
    from workbench.present.text.crosscheck import crosscheck_text

    if form == "text":
        return crosscheck_text(found)
    flat = [record for compared in found for record in compared.records()]
    return records.as_json(flat) if form == "json" else records.as_csv(flat)
