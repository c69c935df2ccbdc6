"""``workbench crosscheck``: run the explorer and the SPIN model checker on the same models and compare their results.

Exit status: 0 if all numbers and verdicts are equal, 1 if not.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.commands.explore import FEATURES, MAX_VCPUS

if TYPE_CHECKING:
    from workbench.measure.exploration.crosscheck import Compared, Setting


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "crosscheck", run, "compare the explorer with the SPIN checker (needs spin and gcc)",
        description=__doc__,
        example="workbench crosscheck generic --events migrate,boot",
    )  # fmt: skip
    parser.add_argument("protocol", nargs="?", metavar="PROTOCOL", help="a name, or path/to/file.py:Class; +MITIGATION")
    _options.add_names(parser, "--protocols", "more protocols, as in compare (default: the first three of the list)")
    _options.add_happening(parser, "default: as suits the event", "default: a selection")
    parser.add_argument("--vcpus", type=_options.whole_number(1, MAX_VCPUS), metavar="N",
                        help=f"vCPUs of the guest, 1 to {MAX_VCPUS} (default: as suits the event)")
    _options.add_names(parser, "--property", "properties by code or name (default all)")
    _options.add_jobs(parser, "1")
    _options.add_state(parser, "models")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def run(args: argparse.Namespace) -> int:
    """Explore, export, run SPIN, and write the results of both."""
    from workbench.checking.failures import choose as choose_failures
    from workbench.measure.exploration.crosscheck import crosscheck
    from workbench.measure.variants import variants
    from workbench.present.progress import Progress
    from workbench.protocols import FIRST

    chosen = variants([*filter(None, [args.protocol]), *(args.protocols or ())] or FIRST)
    settings, failures = _settings(args), choose_failures(_options.unique(args.property))
    with _options.opened_state(args) as store:
        with _options.workers(args, default=1) as jobs:
            found = crosscheck(chosen, settings, failures, Progress().counting("models"), store, jobs)
        _options.write(args, _render(args.format, found))
    return 0 if all(compared.equal for compared in found) else 1


def _settings(args: argparse.Namespace) -> list[Setting]:
    """Return the settings: of the events that have one, or made for an event and a size that were named."""
    from workbench import features, lifecycle
    from workbench.core import own_files
    from workbench.measure.exploration.crosscheck import SETTINGS, Setting

    known = {setting.event: setting for setting in SETTINGS}
    events = lifecycle.choose(_options.unique(args.events) or list(known))
    if args.vcpus is not None and (args.events is None or any(map(lifecycle.is_open, args.events))):
        events = tuple(event for event in events if event.min_vcpus <= args.vcpus)
    wanted = None if args.features is None else features.choose(_options.unique(args.features))
    found = []
    for event in events:
        setting = known.get(event.name, Setting(own_files.named(event), event.min_vcpus, FEATURES))
        if args.vcpus is not None:
            setting = setting._replace(vcpus=args.vcpus)
        if wanted is not None:
            setting = setting._replace(features=tuple(own_files.named(feature) for feature in wanted), asked=True)
        found.append(setting)
    return sorted(found, key=lambda setting: list(known).index(setting.event) if setting.event in known else len(known))


def _render(form: str, found: list[Compared]) -> str:
    from workbench.present import records
    from workbench.present.text.crosscheck import crosscheck_text

    if form == "text":
        return crosscheck_text(found)
    flat = [record for compared in found for record in compared.records()]
    return records.as_json(flat) if form == "json" else records.as_csv(flat)
