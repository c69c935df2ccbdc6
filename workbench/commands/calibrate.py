"""``workbench calibrate``: measure this host's KVM and write the results to one file.

The file holds fates, counts and costs with their provenance (kernel, module, CPU, date, command). Where guest code
runs natively, the costs are also offered as a cost model for ``--cost-model``; where it is emulated they are not,
and the command says why.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

from workbench.commands import _options


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "calibrate", run, "measure this host's KVM (10 to 20 seconds) into a file",
        description=__doc__,
        example="workbench calibrate -o here.json",
    )  # fmt: skip
    _options.add_result_file(parser, "KERNEL-MODULE.json")
    parser.add_argument(
        "--release",
        metavar="TEXT",
        help="kernel release to record instead of this host's, for example without a local version suffix",
    )


def run(args: argparse.Namespace) -> int:
    """Measure and write; print the file's path and whether the costs are offered as a cost model."""
    import json
    from dataclasses import asdict

    from workbench.measure.on_kvm import measured_file
    from workbench.present.files import write_file
    from workbench.present.progress import Progress

    found = measured_file.record(_command(args), Progress(patience=1.0), args.release)
    path = args.output or Path(f"{found.name}.json")
    write_file(path, measured_file.as_json(found))
    out = sys.stdout.write
    out(f"{found.host['line']}\n")
    for cost in found.costs:
        share = (
            "" if cost.user_share is None else f"; {cost.user_share:.0%} of the CPU time is the VMM's Python"
        )
        out(
            f"  {cost.what}: {cost.median_ns:g} ns (quartiles {cost.lower_ns:g} and {cost.upper_ns:g}; "
            f"{cost.batches} batches of {cost.operations}){share}\n"
        )
    out(f"These costs: {found.costs_are}.\nWritten: {path}\n")
    reason = measured_file.why_no_cost_model(found)
    if reason is not None:
        out(f"Not offered as a cost model: {reason}.\n")
        return 0
    model = path.with_suffix(".model.json")
    write_file(model, json.dumps(asdict(measured_file.cost_model(found)), indent=2) + "\n")
    out(f"Offered as a cost model: --cost-model {model}\n")
    return 0


def _command(args: argparse.Namespace) -> str:
    words = ["workbench", "calibrate"]
    if args.output is not None:
        words += ["-o", args.output.name]
    if args.release is not None:
        words += ["--release", args.release]
    return shlex.join(words)
