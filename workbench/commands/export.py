"""``workbench export promela|dot|graphml PROTOCOL``: write the explored model for other programs.

``promela`` is for the SPIN model checker; its first lines say how to run SPIN and which results to expect. ``dot`` and
``graphml`` are the graph of all states and steps. The result is the model of one event (default: boot); with several
events ``--output`` names a directory, and there is one file for each.
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
    _options.add_result_file(parser, "stdout; with several events FILE is a directory and needed")
    parser.set_defaults(output_is_file=False)


def run(args: argparse.Namespace) -> int:
    """Explore each event completely, then write."""
    from workbench.checking.failures import choose as choose_failures
    from workbench.present.files import whole_directory

    args.events = args.events or [EVENT]
    asked, failures = questions(args), choose_failures(_options.unique(args.property))
    _check_place(args.output, several=len(asked) > 1)
    if len(asked) == 1:
        _options.write(args, _text(args, asked[0], failures))
        return 0
    with whole_directory(args.output) as folder:
        for question in asked:
            name = f"{question.variant.label}-{question.event.name}{SUFFIXES[args.form]}"
            (folder / name).write_text(_text(args, question, failures), encoding="utf-8", newline="\n")
    return 0


def _check_place(path: Path | None, *, several: bool) -> None:
    """Raise WorkbenchError if ``path`` cannot be written, before minutes are spent on exploring."""
    from workbench.present.files import check_output

    if several and path is None:
        raise WorkbenchError("several events are several files; name a directory for them: --output DIR")
    if path is not None and not several:
        check_output(path)
    elif path is not None and path.exists() and not path.is_dir():
        reason = "it is a file; several events need a directory"
        raise WorkbenchError(f"cannot write into directory {str(path)!r}: {reason}")


def _text(args: argparse.Namespace, question: Question, failures: tuple[Failure, ...]) -> str:
    from workbench.measure.exploration import export as exported

    if args.form == "promela":
        return exported.promela_of(question, failures, args.max_states or exported.MAX_STATES)[1]
    return exported.graph_of(question, failures, args.form, args.max_states or exported.MAX_NODES)
