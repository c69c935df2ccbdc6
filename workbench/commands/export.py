"""``workbench export promela|dot|graphml PROTOCOL -o FILE``: write the explored model for other programs.

``promela`` is for the SPIN model checker; its first lines say how to run SPIN and which results to expect. ``dot`` and
``graphml`` are the graph of all states and steps. A file holds the model of one event (default: boot); with several
events FILE is a directory with one file for each.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.commands.explore import add_model, questions
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.checking.failures import Failure
    from workbench.measure.exploration.explore import Question

EVENT = "boot"
SUFFIXES = {"promela": ".pml", "dot": ".dot", "graphml": ".graphml"}


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "export", run, "write a model for SPIN, or its state graph",
        description=__doc__,
        example="workbench export promela generic --events kexec --vcpus 2 -o kexec.pml",
    )  # fmt: skip
    parser.add_argument("form", choices=tuple(SUFFIXES), help="output format")
    add_model(parser)
    parser.add_argument("-o", "--output", type=Path, metavar="FILE", required=True, help="file or directory to write")
    parser.set_defaults(output_is_file=False)


def run(args: argparse.Namespace) -> int:
    """Explore each event completely, then write."""
    from workbench.checking.failures import choose as choose_failures
    from workbench.present.files import whole_directory, write_file

    args.events = args.events or [EVENT]
    asked, failures = questions(args), choose_failures(_options.unique(args.property))
    _check_place(args.output, several=len(asked) > 1)
    if len(asked) == 1:
        write_file(args.output, _text(args, asked[0], failures))
        return 0
    with whole_directory(args.output) as folder:
        for question in asked:
            name = f"{question.variant.label}-{question.event.name}{SUFFIXES[args.form]}"
            (folder / name).write_text(_text(args, question, failures), encoding="utf-8", newline="\n")
    return 0


def _check_place(path: Path, *, several: bool) -> None:
    """Raise WorkbenchError if ``path`` cannot be written, before minutes are spent on exploring."""
    if several and path.exists() and not path.is_dir():
        reason = "it is a file; several events need a directory"
        raise WorkbenchError(f"cannot write into directory {str(path)!r}: {reason}")
    if not several and path.is_dir():
        raise WorkbenchError(f"cannot write {str(path)!r}: it is a directory")
    if not several and not path.parent.is_dir():
        raise WorkbenchError(f"cannot write {str(path)!r}: there is no directory {str(path.parent)!r}")


def _text(args: argparse.Namespace, question: Question, failures: tuple[Failure, ...]) -> str:
    from workbench.measure.exploration import export as exported

    if args.form == "promela":
        return exported.promela_of(question, failures, args.max_states or exported.MAX_STATES)[1]
    return exported.graph_of(question, failures, args.form, args.max_states or exported.MAX_NODES)
