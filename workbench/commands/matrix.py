"""``workbench matrix``: show which properties each protocol violates under each lifecycle event.

With ``--mitigations`` the matrix is explored without and with them, and the differences are listed.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.commands.explore import add_what

if TYPE_CHECKING:
    from workbench.core.contracts.event import Event
    from workbench.durable.share import Jobs
    from workbench.durable.store import Store
    from workbench.measure.exploration.matrix import Cell, Size
    from workbench.measure.exploration.pairs import Chosen
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
    _options.add_jobs(parser)
    _options.add_state(parser, "searches", partial=True)
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def run(args: argparse.Namespace) -> int:
    """Explore every cell, and write the table; status 1 if a cell broke off.

    If the user stops it, nothing is written, or with ``--partial`` the table with BOUNDED where a size is lacking.
    """
    from workbench.measure.exploration.cells import is_unfinished
    from workbench.measure.exploration.mitigations import mitigated
    from workbench.measure.variants import DEFAULT, variants
    from workbench.present import records

    bare = variants(args.protocols or DEFAULT)
    added = mitigated(bare, args.mitigations) if args.mitigations else []
    pairs = _pairs(args, bare)
    with _options.opened_state(args) as store:
        with _options.workers(args) as jobs:
            cells = _cells(args, [*bare, *added], pairs, store, jobs)
        if args.format == "text":
            _options.write(args, _text(args, cells, bare, added, pairs))
        else:
            found = (cell.record() for cell in cells)
            _options.write(args, records.as_json(found) if args.format == "json" else records.as_csv(found))
        if any(map(is_unfinished, cells)):
            raise KeyboardInterrupt
    return _options.status_of({cell.verdict for cell in cells})


def _text(
    args: argparse.Namespace, cells: Sequence[Cell], bare: Sequence[Variant], added: Sequence[Variant],
    pairs: Mapping[str, Sequence[Chosen]],
) -> str:  # fmt: skip
    from workbench.measure.exploration.matrix import sizes_of
    from workbench.measure.exploration.mitigations import effect
    from workbench.measure.variants import Variant
    from workbench.present.text.matrix import effects_text, matrix_text
    from workbench.present.text.pairs import chosen_text

    sizes = [size for one in bare for event in _events(args) for size in sizes_of(one, event, _sizes(args))]
    sizes += [one.size for chosen in pairs.values() for one in chosen]
    text = matrix_text(cells, sizes)
    if added:
        effects = [effect(one, _of(cells, Variant.of(one.kind)), _of(cells, one)) for one in added]
        text += "\n" + effects_text(effects)
    text += "".join(f"\n{chosen_text(name, chosen)}" for name, chosen in pairs.items())
    return text + _from_files(args)


def _cells(
    args: argparse.Namespace, chosen: Sequence[Variant], pairs: Mapping[str, Sequence[Chosen]], store: Store,
    jobs: Jobs,
) -> list[Cell]:  # fmt: skip
    from workbench.checking.failures import choose as choose_failures
    from workbench.durable.efforts import Efforts
    from workbench.measure.exploration.matrix import MAX_STATES, Task, matrix
    from workbench.present.progress import Progress

    say, efforts, failures = Progress(), Efforts(), choose_failures(_options.unique(args.property))
    most, codes = args.max_states or MAX_STATES, tuple(failure.code for failure in failures)
    more = [
        Task(variant, one.event, one.size, codes, most)
        for variant in chosen
        for one in pairs.get(variant.kind.name, ())
    ]

    return matrix(
        chosen,
        _events(args),
        failures,
        _sizes(args),
        more=more,
        max_states=most,
        jobs=jobs,
        progress=say.searches(efforts),
        efforts=efforts,
        state=store,
        partial=args.partial,
        traces=False,
    )


def _events(args: argparse.Namespace) -> tuple[Event, ...]:
    """Return the events that are explored whatever they do; pairs of which ``all`` is a part are chosen instead."""
    from workbench import lifecycle
    from workbench.core.catalogue import ALL

    if args.events is None:
        return lifecycle.choose(None)
    named = [name for name in args.events if name == ALL or not lifecycle.is_open(name)]
    return lifecycle.choose(named) if named else ()


def _pairs(args: argparse.Namespace, bare: Sequence[Variant]) -> dict[str, list[Chosen]]:
    """Return, for each protocol, the pairs to explore of those that ``all+all`` and the like stand for."""
    from workbench import lifecycle
    from workbench.core.catalogue import ALL
    from workbench.measure.exploration.pairs import Pairs
    from workbench.measure.variants import features_of
    from workbench.present.progress import Progress

    named = [name for name in args.events or () if name != ALL and lifecycle.is_open(name)]
    if not named:
        return {}
    pairs, offered = lifecycle.choose(named), _options.unique(args.features)
    if args.vcpus is not None:
        pairs = tuple(pair for pair in pairs if pair.min_vcpus <= args.vcpus)
    say = Progress()
    return {
        one.kind.name: Pairs(one, features_of(one, offered)).chosen(pairs, say.counting(f"{one.label}, pairs"))
        for one in bare
    }


def _from_files(args: argparse.Namespace) -> str:
    """Return a line for each event and feature that is from a file, with how it was named."""
    from workbench import features
    from workbench.core.own_files import from_files

    things = [*_events(args), *features.choose(_options.unique(args.features))]
    return "".join(f"{text}\n" for text in from_files(*things))


def _sizes(args: argparse.Namespace) -> list[Size] | None:
    """Return the one size that was asked for, None if none was; without features it is of each design's first one."""
    from workbench import features
    from workbench.core import own_files
    from workbench.measure.exploration.matrix import Size

    if args.vcpus is None and args.features is None:
        return None
    chosen = features.choose(_options.unique(args.features)) if args.features else ()
    return [Size(args.vcpus or 1, tuple(own_files.named_anywhere(feature) for feature in chosen))]


def _of(cells: Sequence[Cell], variant: Variant) -> list[Cell]:
    return [cell for cell in cells if (cell.protocol, cell.mitigations) == (variant.kind.name, variant.mitigations)]
