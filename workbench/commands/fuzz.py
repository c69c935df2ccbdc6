"""``workbench fuzz``: run random sequences on the simulator and on this host's KVM and compare them step by step.

Exit status: 0 if no divergence is unexplained, 1 if one is, 2 (by WorkbenchError) if it cannot run. It writes
half-valid registrations to this host's kernel, so it needs consent (``YES``). The manual is docs/fuzzing.md.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.fuzz.campaign import Tally

YES = "--yes-this-fuzzes-the-kernel"
WARNING = (
    "fuzz writes invalid and half-valid values to this kernel's KVM; a kernel may log a warning (syzbot "
    "bc0e18379a290e5edfe4), and panics if panic_on_warn is set"
)
_SECONDS = 30.0
_EVERY = 5.0


def add(subparsers: Any) -> None:
    """Declare ``fuzz`` and its arguments."""
    parser = _options.add_command(
        subparsers, "fuzz", run, "compare the simulator with this host's KVM on random sequences",
        description=f"Compare the simulator with this host's KVM (docs/fuzzing.md). {WARNING}.",
        example=f"workbench fuzz {YES} --seconds 60",
    )  # fmt: skip
    parser.add_argument(
        YES, action="store_true", dest="yes", help="required: accept that this kernel may warn or panic"
    )
    parser.add_argument(
        "--seed", type=_options.whole_number(0), default=0, help="seed of the random sequences (default: %(default)s)"
    )
    parser.add_argument("--ops", type=_options.whole_number(1), metavar="N", help="stop after N compared operations")
    parser.add_argument(
        "--seconds", type=_positive, metavar="S", help=f"stop after S seconds (default without --ops: {_SECONDS:g})"
    )
    _options.add_state(parser, "sequences")
    parser.add_argument(
        "--out", type=Path, default=Path("fuzz-findings"), metavar="DIR",
        help="directory for replay files of divergences (default: %(default)s)",
    )  # fmt: skip
    _options.add_jobs(parser, "one for each CPU")
    parser.add_argument(
        "--length", type=_options.whole_number(20, 10_000), default=200, metavar="N",
        help="operations in each sequence (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--protocol", default="per_feature", metavar="NAME",
        help="protocol that the simulator runs (default: %(default)s)",
    )  # fmt: skip
    _options.add_result_file(parser)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not allowed; allowed: a number of seconds above 0")
    return value


def run(args: argparse.Namespace) -> int:
    """Run the campaign; return the exit status."""
    from workbench.engines.kvm.probe import probe
    from workbench.fuzz import campaign
    from workbench.fuzz.journal import Journal
    from workbench.fuzz.worker import Task
    from workbench.present.progress import Progress
    from workbench.protocols import find
    from workbench.replay.engines import find_engine

    if not args.yes:
        raise WorkbenchError(f"{WARNING}; to accept this, pass {YES}")
    find(args.protocol)
    find_engine("kvm")
    line = probe().line
    seconds = _SECONDS if args.seconds is None and args.ops is None else args.seconds
    task = Task(args.seed, args.length, args.protocol)
    say = Progress(patience=_EVERY)
    say.note(WARNING)
    with _options.opened_state(args) as store:
        journal = Journal(store, campaign.head_of(task, line))
        if journal.done:
            say.note(f"resuming from {args.state}: {len(journal.done)} sequences, {journal.operations} operations")
        plan = campaign.Plan(args.ops, seconds)
        with _options.workers(args, default=campaign.jobs_by_default()) as jobs:
            for last in campaign.run(task, plan, journal, args.out, jobs=jobs, notes=(line,), host=line):
                say(_progress(last))
    say.note(f"this run: {_progress(last)}")
    _options.write(args, "\n".join([line, *_report(last)]) + "\n")
    return 1 if last.findings else 0


def _progress(tally: Tally) -> str:
    rate = tally.operations_now / tally.seconds if tally.seconds else 0
    return f"{tally.operations} operations, {rate:.0f}/s, {len(tally.findings)} unexplained"


def _report(tally: Tally) -> list[str]:
    from workbench.fuzz.campaign import MOST_FINDINGS

    lines = [f"{tally.operations} operations in {tally.sequences} sequences compared"]
    for name in tally.shown.known:
        lines.append(f"known divergence of this kernel: {name}: {tally.known.get(name, 0)} differences explained")
    for name in tally.shown.left_out:
        lines.append(f"left out of the comparison: {name}: {tally.known.get(name, 0)} differences")
    lines.append(f"{len(tally.findings)} unexplained")
    for path in tally.findings:
        lines.append(f"{path}:")
        lines += [f"  {line[2:]}" for line in _comments(Path(path))]
    if len(tally.findings) >= MOST_FINDINGS:
        lines.append(f"stopped at {MOST_FINDINGS} unexplained divergences")
    return lines


def _comments(path: Path) -> list[str]:
    try:
        return [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("# ")]
    except OSError:
        return ["# (the file is gone)"]
