"""``workbench grade``: grade students' notebooks of exercises: their answers are run again, in fenced processes.

A notebook is read, never written. A directory is a class: notebooks in it, or a folder of notebooks for each student.
What a notebook has printed or saved counts for nothing. docs/grading.md says what a student's program may do.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from workbench.commands import _options
from workbench.errors import WorkbenchError


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "grade", run, "grade students' notebooks of exercises",
        description=__doc__,
        example="workbench grade handed-in/ --state graded/ -o grades.txt",
    )  # fmt: skip
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="notebooks, or directories of them")
    _options.add_names(parser, "--exercises", "exercises, by name (default all that are in the notebooks)")
    _options.add_jobs(parser, "one for each core, at most 4")
    parser.add_argument("--times", action="store_true", help="say how long each answer took, which differs from run "
                        "to run")  # fmt: skip
    parser.add_argument("--unfenced", action="store_true",
                        help="go on where this kernel cannot fence students' programs off: they can then read and "
                        "change what you can")  # fmt: skip
    _options.add_state(parser, "notebooks")
    _options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Grade, and write the tables; status 1 if the judge itself failed somewhere."""
    from workbench.classroom.grading.course import grade_all
    from workbench.classroom.grading.fence import why_not
    from workbench.classroom.grading.results import broke_off, results
    from workbench.classroom.grading.tables import rendered
    from workbench.durable.cores import cores
    from workbench.present.progress import Progress

    missing = why_not()
    if missing is not None and not args.unfenced:
        raise WorkbenchError(f"students' programs cannot be fenced off here: {missing}; --unfenced grades all the same")
    with _options.opened_state(args) as store:
        with _options.workers(args, default=min(cores(), 4)) as jobs:
            graded = grade_all(
                args.files,
                _options.unique(args.exercises),
                jobs=jobs,
                kernel=missing is None,
                progress=Progress().counting("notebooks graded"),
                state=store,
            )
        found = results(graded)
        _options.write(args, rendered(found, args.format, times=args.times))
    return 1 if broke_off(found) else 0
