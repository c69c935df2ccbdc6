"""``workbench explore PROTOCOL``: explore every interleaving of a protocol under lifecycle events.

A failure is shown with a shortest trace that leads to it, unless it is that something never happens.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.measure.exploration.explore import Question
    from workbench.present.text.exploration import Explored

#: Events explored when none is named; ``--events all`` explores all that are known.
EVENTS = ("boot", "kexec", "kexec-no-teardown", "migrate", "ignore-msrs", "descriptor-race")
FEATURES = ("steal_time",)
MAX_VCPUS = 8
TRACES = ("diagram", "table", "replay", "none")


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "explore", run, "explore every interleaving of a protocol",
        description=__doc__,
        example="workbench explore generic --events descriptor-race --property double-fetch",
    )  # fmt: skip
    add_model(parser)
    parser.add_argument("--symmetry", action="store_true",
                        help="merge states that differ only by a permutation of interchangeable vCPUs")
    parser.add_argument("--max-memory", type=_options.whole_number(1), metavar="MIB",
                        help="stop a search when its states take MIB mebibytes (default: half of what rlimits, "
                        "cgroups and the machine let this process use)")
    parser.add_argument("--trace", choices=TRACES, default="diagram",
                        help="how text output shows a finding; replay prints a Python file for the first one")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def add_model(parser: argparse.ArgumentParser) -> None:
    """Add the options that name one protocol and say what of it is explored; see :func:`questions`."""
    parser.add_argument("protocol", metavar="PROTOCOL", help="a name, or path/to/file.py:Class; +MITIGATION")
    add_what(parser)
    parser.add_argument("--updates", type=_options.whole_number(0, 16), default=1, metavar="N",
                        help="payload updates for each vCPU besides those of the event (default 1)")
    parser.add_argument("--reads", type=_options.whole_number(0, 16), default=0, metavar="N",
                        help="payloads that another vCPU reads during the run (default 0)")


def add_what(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is explored, common to explore and matrix."""
    parser.add_argument("--vcpus", type=_options.whole_number(1, MAX_VCPUS), metavar="N",
                        help=f"vCPUs of the guest, 1 to {MAX_VCPUS} (default: as the event needs; 2 for shared state)")
    _options.add_happening(parser, f"default {','.join(FEATURES)}", "default: a few")
    _options.add_names(parser, "--property", "properties by code or name (default all)")
    _options.add_names(parser, "--mitigations", "mitigations to switch on")
    parser.add_argument("--max-states", type=_options.whole_number(1), metavar="N",
                        help="stop a search after N states; its verdict is then BOUNDED")


def run(args: argparse.Namespace) -> int:
    """Explore and write the results; the status is 0 even if a property fails, 1 if a program broke off a search.

    If the user stops it, what is known by then is printed, with BOUNDED for all that is not; no file is written.
    """
    from workbench.present.text import exploration as present

    found = _explored(args)
    stopped = any(exploration.interrupted for exploration in found.explorations)
    if stopped and args.output is not None:
        raise KeyboardInterrupt
    if args.trace == "replay" and args.format == "text":
        _options.write(args, present.replay_file(found))
    elif args.format == "json":
        _options.write(args, present.as_json(found))
    elif args.format == "csv":
        _options.write(args, present.as_csv(found))
    else:
        _options.write(args, present.as_text(found, args.trace))
    if stopped:
        raise KeyboardInterrupt
    return _options.status_of({verdict for one in found.explorations for verdict in one.result.verdicts.values()})


def _explored(args: argparse.Namespace) -> Explored:
    from workbench.checking.failures import choose as choose_failures
    from workbench.measure.exploration.explore import MAX_STATES, explored
    from workbench.present.progress import Progress
    from workbench.present.text.exploration import Explored

    failures = choose_failures(_options.unique(args.property))
    say, explorations = Progress(), []
    asked = questions(args)
    for question in asked:
        exploration = explored(
            question,
            failures,
            max_states=args.max_states or MAX_STATES,
            max_bytes=args.max_memory and args.max_memory << 20,
            symmetry=args.symmetry,
            progress=say.searching(question.event.name),
        )
        explorations.append(exploration)
        for reason in exploration.merging.reasons if exploration.merging else ():
            say.note(f"{question.event.name}: {reason}")
        if exploration.interrupted:
            break
    left = tuple(question.event.name for question in asked[len(explorations) :])
    return Explored(subject_text(args), tuple(explorations), left)


def subject_text(args: argparse.Namespace) -> str:
    """Return the protocol as on a command line, with the mitigations of ``--mitigations``."""
    from workbench.measure.label import Label

    return str(Label(args.protocol, tuple(_options.unique(args.mitigations) or ())))


def questions(args: argparse.Namespace) -> list[Question]:
    """Return a question for each event; raise WorkbenchError for names that are unknown or do not fit together."""
    from workbench import features, lifecycle
    from workbench.engines.explore.vm import Bounds
    from workbench.measure.exploration.explore import Question, default_vcpus
    from workbench.measure.variants import variant

    chosen = variant(subject_text(args))
    wanted = features.choose(_options.unique(args.features) or list(FEATURES))
    names = _options.unique(args.events) or list(EVENTS)
    events = lifecycle.choose(names)
    if args.vcpus is not None and (args.events is None or any(map(lifecycle.is_open, names))):
        events = tuple(event for event in events if event.min_vcpus <= args.vcpus)
    bounds = Bounds(args.updates, args.reads)
    found = [
        Question(chosen, event, wanted, args.vcpus or default_vcpus(chosen, event, wanted, bounds), bounds)
        for event in events
    ]
    if not found:
        raise WorkbenchError(f"none of the events can happen with {args.vcpus} vCPUs")
    for question in found:
        question.check()
    return found
