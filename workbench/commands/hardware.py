"""``workbench hardware``: how like normal hardware designs are, point by point, decided by running them.

"It isn't how normal hardware operates" was an objection to the generic call of 2011. Here it is a checklist: state in
registers, read back, reset, no request and no result in memory, one atomic access, generic save and restore ...
"""

from __future__ import annotations

import argparse
from typing import Any

from workbench.commands import _options
from workbench.errors import WorkbenchError


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "hardware", run, "how like normal hardware designs are, point by point",
        description=__doc__, example="workbench hardware --protocols generic,per_feature,my/file.py:Mine",
    )  # fmt: skip
    _options.add_names(parser, "--protocols", "protocols as in compare (default generic,per_feature)")
    _options.add_names(parser, "--features", "features, by name, all, or path/to/file.py:Class (default: of each ABI)")
    parser.add_argument("--steps", metavar="POINT",
                        help="the operations that decide a point, step by step, in place of the table")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def run(args: argparse.Namespace) -> int:
    """Ask each design every point, and write the answers; or show what was tried for one point."""
    from workbench.measure.likeness.checklist import likeness
    from workbench.measure.variants import DEFAULT, features_of, variants
    from workbench.present import records
    from workbench.present.likeness_steps import check_point, likeness_steps
    from workbench.present.progress import Progress
    from workbench.present.text.likeness import likeness_text
    from workbench.present.text.likeness import records as flat

    say, texts = Progress(), _options.unique(args.protocols) or list(DEFAULT)
    if args.steps is not None:
        check_point(args.steps)
        if args.format != "text":
            raise WorkbenchError("--steps is text (allowed: --format text)")
    chosen, asked = variants(texts), _options.unique(args.features)
    if args.steps is not None:
        _options.write(args, "\n".join(likeness_steps(args.steps, one, features_of(one, asked)) for one in chosen))
        return 0
    found = {}
    for one in chosen:
        say(f"asking {one.label}")
        found[one.label] = likeness(one, features_of(one, asked))
    named = {one.label: text for one, text in zip(chosen, texts, strict=True)}
    if args.format == "text":
        text = likeness_text(found, named, asked or ())
    else:
        text = records.as_json(flat(found)) if args.format == "json" else records.as_csv(flat(found))
    _options.write(args, text)
    return 0
