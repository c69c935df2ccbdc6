"""``workbench explore PROTOCOL``: explore every interleaving of a protocol under lifecycle events.

A failure is shown with a shortest trace that leads to it, unless it is that something never happens.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.checking.failures import Failure
    from workbench.durable.share import Jobs
    from workbench.durable.store import Store
    from workbench.measure.exploration.explore import Question
    from workbench.present.progress import Progress
    from workbench.present.text.exploration import Told

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
    _options.add_jobs(parser, what="threads that share a search, of which they change only the time")
    parser.add_argument("--disk", type=Path, metavar="DIR",
                        help="keep the states in files in DIR, not in memory, which is slower (docs/scale.md); "
                        "--max-memory is then about the files")
    parser.add_argument("--timing", action="store_true",
                        help="JSON also has the seconds that the searches took, which differ from run to run")
    parser.add_argument("--trace", choices=TRACES, default="diagram",
                        help="how text output shows a finding; replay prints a Python file for the first one")
    _options.add_state(parser, "searches", partial=True)
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

    If the user stops it, nothing is written, or with ``--partial`` what is known by then, and BOUNDED for all that is
    not.
    """
    from workbench.checking.failures import choose as choose_failures
    from workbench.measure.exploration.memory_limit import half_of_disk

    if args.disk is not None:
        half_of_disk(args.disk)  # whether it can take files is told before the work begins
    asked, failures = questions(args), choose_failures(_options.unique(args.property))
    parts: list[Told] = []
    with _options.opened_state(args) as store:
        with _options.workers(args) as jobs:
            stopped = _explore(args, asked, failures, store, jobs, parts)
        if stopped and not args.partial:
            raise KeyboardInterrupt
        _options.write(args, _render(args, asked, failures, parts))
        if stopped:
            raise KeyboardInterrupt
    return _options.status_of({verdict for part in parts for verdict in part.verdicts})


def _explore(
    args: argparse.Namespace, asked: Sequence[Question], failures: Sequence[Failure], store: Store, jobs: Jobs,
    parts: list[Told],
) -> bool:  # fmt: skip
    """Append to ``parts`` what is printed of each question; return whether the user stopped it."""
    from workbench.durable.share import sharing
    from workbench.measure.exploration.cells import INTERRUPTED, is_final
    from workbench.measure.exploration.explore import MAX_STATES
    from workbench.present.progress import Progress
    from workbench.present.text.exploration import FORMS, Told

    say, most = Progress(), args.max_states or MAX_STATES
    options = {
        "max_states": most,
        "max_bytes": args.max_memory and args.max_memory << 20,
        "symmetry": args.symmetry,
        "disk": args.disk and args.disk.absolute(),
        "partial": args.partial,
    }
    form = [subject_text(args), args.trace, (_form(args),) if store.folder is None else tuple(FORMS)]
    here = isinstance(jobs, int)  # then the threads share each search, and it tells how far it is
    work = [asked, [failure.code for failure in failures], options, form, jobs if here else None,
            1 if here else sharing(jobs, len(asked)), say if here else None]  # fmt: skip
    batch = store.batch("searches", _keys(args, asked, failures, store))
    pieces = batch.shared(
        _exploring, work, 1 if here else jobs, complete=lambda part: is_final(part[0], most),
        progress=say.counting("searches"),
    )  # fmt: skip
    try:
        for question, piece in zip(asked, pieces, strict=True):
            parts.append(Told(*piece))
            for reason in parts[-1].asymmetries:
                say.note(f"{question.event.name}: {reason}")
            if parts[-1].limit == INTERRUPTED:
                return True
    except KeyboardInterrupt:
        return True  # as a search began or ended
    return False


@contextmanager
def _exploring(
    asked: Sequence[Question], codes: Sequence[str], options: Mapping[str, Any], form: Sequence[Any],
    threads: int | None, sharing: int, say: Progress | None,
) -> Iterator[tuple[None, Callable[[int], Told]]]:  # fmt: skip
    """Begin here, or in one of the workers that share the memory of a machine (``durable.share``)."""
    from workbench.checking.failures import FAILURES
    from workbench.measure.exploration.explore import explored
    from workbench.measure.exploration.memory_limit import half_of_memory
    from workbench.present.text.exploration import told

    most = {"max_bytes": half_of_memory(sharing)} if options["disk"] is None and not options["max_bytes"] else {}

    def work(number: int) -> Told:
        progress = None if say is None else say.searching(asked[number].event.name)
        failures = [FAILURES[code] for code in codes]
        return told(explored(asked[number], failures, **{**options, **most}, jobs=threads, progress=progress), *form)

    yield None, work


def _keys(
    args: argparse.Namespace, asked: Sequence[Question], failures: Sequence[Failure], store: Store
) -> list[Any]:
    """Return the key of each question: all that its output is made of."""
    from workbench.core.own_files import named

    if store.folder is None:
        return [None] * len(asked)
    # With --disk more may fit, so that what stopped for lack of memory is asked again.
    options = [args.max_states, args.max_memory, args.disk is not None, args.symmetry, args.trace, subject_text(args)]
    codes = [failure.code for failure in failures]
    return [
        [question.described(), codes, options, named(question.event), [named(one) for one in question.features]]
        for question in asked
    ]


def _form(args: argparse.Namespace) -> str:
    return "replay" if args.trace == "replay" and args.format == "text" else str(args.format)


def _render(
    args: argparse.Namespace, asked: Sequence[Question], failures: Sequence[Failure], parts: Sequence[Told]
) -> str:
    from workbench.measure.exploration.cells import lacking
    from workbench.present.text import exploration as present

    form, subject, left = _form(args), subject_text(args), asked[len(parts) :]
    names = [question.event.name for question in left]
    if form == "replay":
        return present.replay_file(parts)
    if form == "json":
        return present.as_json(subject, parts, names, timing=args.timing)
    if form == "csv":
        return present.as_csv(parts, (cell for question in left for cell in lacking(question, failures)))
    return present.blocks(subject, asked[: len(parts)], parts, names)


def subject_text(args: argparse.Namespace) -> str:
    """Return the protocol as on a command line, with the mitigations of ``--mitigations``."""
    from workbench.measure.label import Label

    return str(Label(args.protocol, tuple(_options.unique(args.mitigations) or ())))


def questions(args: argparse.Namespace) -> list[Question]:
    """Return a question for each event; raise WorkbenchError for names that are unknown or do not fit together."""
    from workbench import features, lifecycle
    from workbench.engines.explore.vm import Bounds
    from workbench.measure.exploration.explore import Question, default_vcpus
    from workbench.measure.variants import first_feature, variant

    chosen = variant(subject_text(args))
    wanted = features.choose(_options.unique(args.features) or first_feature(chosen))
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
