"""Options that several commands share: which protocols, events, features, machine."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import DEFAULT
from workbench.core import own_files
from workbench.core.vcpu import MAX_VCPUS
from workbench.core.vmm import VMMS
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.durable.share import Jobs
    from workbench.durable.store import Store
    from workbench.present.text.report import Parameters

FORMATS = ("text", "json", "csv", "markdown")
EXPLORED_FORMATS = ("text", "json", "csv")  #: for results of the explorer


def add_command(
    subparsers: Any, name: str, run: Callable[[argparse.Namespace], int], title: str, *, description: str, example: str
) -> argparse.ArgumentParser:
    """Declare a command and return its parser; the help text ends with an example that keeps its line breaks."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        name,
        help=title,
        description=description.replace("``", ""),
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


_LONGEST = 40  #: digits; many more than any limit has


def whole_number(low: int, high: int | None = None) -> Any:
    """Return a converter for argparse: a whole number, at least ``low`` and at most ``high``."""

    def convert(text: str) -> int:
        allowed = f"{low} to {high}" if high is not None else f"{low} or more"
        digits = text[1:] if text[:1] in ("+", "-") else text
        if not (digits.isascii() and digits.isdigit()):
            raise argparse.ArgumentTypeError(f"{text[:_LONGEST]!r} is not a whole number; allowed: {allowed}")
        if len(text) > _LONGEST:
            raise argparse.ArgumentTypeError(f"a number of {len(text)} digits is out of range; allowed: {allowed}")
        number = int(text)
        if number < low or (high is not None and number > high):
            raise argparse.ArgumentTypeError(f"{number} is out of range; allowed: {allowed}")
        return number

    return convert


def names(text: str) -> list[str]:
    """Converter for argparse: names separated by commas; a comma in the path of an existing file separates nothing."""
    found = [name for name in own_files.split(text, ",") if name]
    if not found:
        raise argparse.ArgumentTypeError("no name given")
    return found


def add_names(parser: argparse._ActionsContainer, option: str, help_text: str) -> None:
    """Add an option whose values are separated by commas, or repeated, or both."""
    parser.add_argument(option, action="extend", type=names, metavar="NAME,...", help=help_text)


def add_happening(
    parser: argparse.ArgumentParser, features: str = "default all", events: str = "default all"
) -> None:
    """Add the options that name features and events; both may be an author's own."""
    own = "all, or path/to/file.py:Class"
    add_names(parser, "--features", f"features, by name, {own} ({features})")
    add_names(parser, "--events", f"lifecycle events, by name, {own}; A+B is A, then B ({events})")
    add_vmm(parser)


def add_vmm(parser: argparse.ArgumentParser) -> None:
    """Add the option that names VMMs; :func:`name_vmms` then changes the events that are asked for."""
    add_names(
        parser, "--vmm",
        f"restore machines as these VMMs do, as event A@VMM does: {', '.join(VMMS)} (default: as one that ignores what "
        "was refused); without --events: in all events that restore one",
    )  # fmt: skip


def name_vmms(args: argparse.Namespace) -> None:
    """Write the VMMs of ``--vmm`` into the names of ``--events``; raise WorkbenchError for an unknown one."""
    vmms = unique(getattr(args, "vmm", None))
    if vmms is None:
        return
    from workbench import lifecycle

    args.events = lifecycle.under_vmms(args.events, vmms)


def add_subject(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is measured."""
    parser.add_argument(
        "--vcpus",
        type=whole_number(1, MAX_VCPUS),
        default=64,
        metavar="N",
        help=f"vCPUs of the guest, 1 to {MAX_VCPUS} (default 64)",
    )
    add_names(
        parser,
        "--protocols",
        f"protocols, by name or as path/to/file.py:Class; +MITIGATION adds a mitigation (default {','.join(DEFAULT)})",
    )
    add_happening(parser)
    parser.add_argument(
        "--cost-model",
        metavar="NAME",
        help="also give costs by this cost model: a known one (see workbench list) or path/to/model.json",
    )
    parser.add_argument(
        "--seed",
        type=whole_number(0),
        default=0,
        metavar="N",
        help="start of the virtual clock (default 0)",
    )


def add_output(parser: argparse.ArgumentParser, formats: Sequence[str] = FORMATS) -> None:
    """Add the options that say how a table is written, and where."""
    parser.add_argument("--format", choices=formats, default="text", help="default text")
    add_result_file(parser)


def add_result_file(parser: argparse.ArgumentParser, default: str = "stdout") -> None:
    """Add the option that says where a result is written; see :func:`check_output` and :func:`write`."""
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help=f"write to FILE, which is replaced only by a complete result (default: {default})",
    )  # fmt: skip


def add_state(parser: argparse.ArgumentParser, pieces: str, *, partial: bool = False) -> None:
    """Add the options of long work; ``pieces`` names its parts in the help. ``partial``: a result may lack some."""
    parser.add_argument(
        "--state", type=Path, metavar="DIR", help=f"keep finished {pieces} in DIR, and use those that are kept there"
    )
    again = parser.add_mutually_exclusive_group()
    again.add_argument(
        "--resume", dest="fresh", action="store_false", help="with --state: use what is kept (the default)"
    )
    again.add_argument(
        "--fresh", "--no-resume", dest="fresh", action="store_true",
        help="with --state: do everything again; what is kept is replaced piece by piece",
    )  # fmt: skip
    parser.set_defaults(fresh=False)
    if partial:
        parser.add_argument(
            "--partial", action="store_true",
            help="when stopped by Ctrl-C, still write what is known by then; what is not is BOUNDED, interrupted",
        )  # fmt: skip


def add_jobs(
    parser: argparse.ArgumentParser, default: str = "one for each core", what: str = "processes that share the work"
) -> None:
    """Add the options that say who shares the work; see :func:`workers`. ``what``: of which --jobs is the number."""
    who = parser.add_mutually_exclusive_group()
    who.add_argument("--jobs", type=whole_number(1, 256), metavar="N",
                     help=f"{what} (default: {default})")  # fmt: skip
    who.add_argument("--scheduler", metavar="TCP", help="let workers of a Dask scheduler, tcp://HOST:8786, do it")
    who.add_argument("--cluster", type=_local, metavar="local:N", help="the same with N Dask workers on this machine")


def _local(text: str) -> int:
    kind, _, number = text.partition(":")
    if kind != "local":
        raise argparse.ArgumentTypeError(f"{text!r} is not local:N; for other machines: --scheduler tcp://HOST:8786")
    found: int = whole_number(1, 256)(number)
    return found


@contextmanager
def workers(args: argparse.Namespace, default: int | None = None) -> Iterator[Jobs]:
    """Yield who shares the work by the options of :func:`add_jobs`; ``default``: processes if nothing is said."""
    from workbench.durable.cores import cores

    if args.scheduler is None and args.cluster is None:
        yield args.jobs or default or cores()
        return
    from workbench.durable.cluster import cluster

    with cluster(scheduler=args.scheduler, local=args.cluster or 0) as found:
        yield found


def opened_state(args: argparse.Namespace) -> AbstractContextManager[Store]:
    """Return the store of ``--state``, to be entered; without the option it keeps nothing."""
    from workbench.durable.store import opened
    from workbench.present.progress import Progress

    if args.fresh and args.state is None:
        raise WorkbenchError("--fresh does everything again that --state DIR keeps; name the directory")
    received = getattr(args, "received", ())
    return opened(args.state, fresh=args.fresh, note=Progress().note, stopped=lambda: bool(received))


#: The options that change a result, in the order in which :func:`command_line` gives them.
_RESULT_OPTIONS = (
    "vcpus", "protocols", "features", "events", "mitigations", "metrics", "cost_model", "seed", "format"
)  # fmt: skip
_DEFAULTS = {"vcpus": 64, "seed": 0, "format": "text"}


def command_line(
    command: str, args: argparse.Namespace, positional: Iterable[object] = ()
) -> tuple[str, ...]:
    """Return the command line that reproduces this result, in pieces; options at their default are left out."""
    from workbench.present.text.command_line import option_pieces

    pieces = [f"workbench {command}", *(shlex.quote(str(text)) for text in positional)]
    for option in _RESULT_OPTIONS:
        value = getattr(args, option, None)
        if value is not None and value != _DEFAULTS.get(option):
            pieces += option_pieces(
                f"--{option.replace('_', '-')}", value if isinstance(value, list) else [str(value)]
            )
    return tuple(pieces)


def again(args: argparse.Namespace, command: str) -> str:
    """Return the command line, in one line, that asks for the same as ``args``."""
    return " ".join(command_line(command, args))


def unique(values: Iterable[str] | None) -> list[str] | None:
    """Return the values without duplicates, in order of first appearance; None stays None."""
    return None if values is None else list(dict.fromkeys(values))


def parameters(command: str, args: argparse.Namespace, *positional: object) -> Parameters:
    """Return what ``args`` asks for, all names resolved; raise WorkbenchError for an unknown name."""
    from workbench import lifecycle
    from workbench.measure.comparison import cost, metrics
    from workbench.measure.comparison.runs import possible
    from workbench.measure.variants import features_of, variants
    from workbench.present.text.report import Parameters

    chosen = variants(args.protocols or DEFAULT)
    wanted = unique(args.metrics)
    if wanted is not None and metrics.COST in wanted and args.cost_model is None:
        raise WorkbenchError(f"the metric {metrics.COST} needs a cost model", cost.known())
    metrics.choose(wanted)
    events = lifecycle.choose(unique(args.events))
    named = unique(args.features)
    carried = {feature.name: feature for one in chosen for feature in features_of(one, named)}
    several = args.events is None or any(map(lifecycle.is_open, args.events))
    happening = possible(events, args.vcpus) if several else events
    return Parameters(
        chosen,
        tuple(carried.values()),
        happening,
        args.vcpus,
        args.seed,
        cost.load(args.cost_model) if args.cost_model is not None else None,
        command_line(command, args, positional),
        tuple(event for event in events if event not in happening),
        named=named is not None,
    )


def check_output(args: argparse.Namespace) -> None:
    """Raise WorkbenchError, before the work begins, if the file of ``--output`` cannot be written."""
    if getattr(args, "output", None) is not None and getattr(args, "output_is_file", True):
        from workbench.present.files import check_output

        check_output(args.output)


def status_of(verdicts: Collection[str]) -> int:
    """Return the exit status of explorations with these verdicts: 1 if a program of one failed and broke it off."""
    return 1 if "BROKE OFF" in verdicts else 0


def write(args: argparse.Namespace, text: str) -> None:
    """Write ``text`` to the file of ``--output``, or to stdout.

    Raises KeyboardInterrupt if the user has stopped the command and something on the way, a program of the user's own
    for example, has taken no notice of it: the result may be wrong then. With ``--partial`` it says what it lacks.
    """
    from workbench.present.files import write_file

    if getattr(args, "received", ()) and not getattr(args, "partial", False):
        raise KeyboardInterrupt

    if args.output is not None:
        write_file(args.output, text)
    else:
        sys.stdout.write(text)
