"""``workbench matrix``: show which properties each protocol violates under each lifecycle event.

With ``--mitigations`` the matrix is explored without and with them, and the differences are listed.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.commands.explore import FEATURES, add_what

if TYPE_CHECKING:
    from workbench.measure.exploration.matrix import Cell, Size, Task
    from workbench.measure.variants import Variant


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "matrix", run, "protocols by events by failures",
        description=__doc__,
        example="workbench matrix --protocols generic --mitigations all",
    )  # fmt: skip
    _options.add_names(parser, "--protocols", "protocols as in compare (default generic,per_feature)")
    add_what(parser)
    parser.add_argument("--jobs", type=_options.whole_number(1, 64), metavar="N",
                        help="processes that share the work (default: one for each CPU, at most 4)")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def run(args: argparse.Namespace) -> int:
    """Explore every cell, and write the table."""
    from workbench.measure.exploration.matrix import sizes_for
    from workbench.measure.exploration.mitigations import effect, mitigated
    from workbench.measure.variants import DEFAULT, Variant, variants
    from workbench.present import records

    bare = variants(args.protocols or DEFAULT)
    added = mitigated(bare, args.mitigations) if args.mitigations else []
    cells = _cells(args, [*bare, *added])
    if args.format == "text":
        from workbench.present.text.matrix import effects_text, matrix_text

        sizes = _sizes(args) or [size for event in _events(args) for size in sizes_for(event)]
        text = matrix_text(cells, sizes)
        if added:
            effects = [effect(one, _of(cells, Variant.of(one.kind)), _of(cells, one)) for one in added]
            text += "\n" + effects_text(effects)
        _options.write(args, text + _from_files(args))
    else:
        found = (cell.record() for cell in cells)
        _options.write(args, records.as_json(found) if args.format == "json" else records.as_csv(found))
    return 0


def _cells(args: argparse.Namespace, chosen: Sequence[Variant]) -> list[Cell]:
    from workbench.checking.failures import choose as choose_failures
    from workbench.measure.exploration.matrix import MAX_STATES, matrix
    from workbench.present.progress import Progress

    say = Progress()

    def progress(done: int, of: int, task: Task) -> None:
        say(f"{done} of {of}: {task.variant.label} under {task.event.name}, {task.size}")

    return matrix(
        chosen,
        _events(args),
        choose_failures(_options.unique(args.property)),
        _sizes(args),
        max_states=args.max_states or MAX_STATES,
        jobs=args.jobs or min(os.cpu_count() or 1, 4),
        progress=progress,
    )


def _events(args: argparse.Namespace) -> Any:
    from workbench import lifecycle

    return lifecycle.choose(_options.unique(args.events))


def _from_files(args: argparse.Namespace) -> str:
    """Return a line for each event and feature that is from a file, with how it was named."""
    from workbench import features
    from workbench.core.own_files import from_files

    things = [*_events(args), *features.choose(_options.unique(args.features))]
    return "".join(f"{text}\n" for text in from_files(*things))


def _sizes(args: argparse.Namespace) -> list[Size] | None:
    """Return the one size that was asked for, None if none was."""
    from workbench import features
    from workbench.core import own_files
    from workbench.measure.exploration.matrix import Size

    if args.vcpus is None and args.features is None:
        return None
    chosen = features.choose(_options.unique(args.features) or list(FEATURES))
    return [Size(args.vcpus or 1, tuple(own_files.named_anywhere(feature) for feature in chosen))]


def _of(cells: Sequence[Cell], variant: Variant) -> list[Cell]:
    return [cell for cell in cells if (cell.protocol, cell.mitigations) == (variant.kind.name, variant.mitigations)]
