"""``workbench replay FILE...``: run replay files and print each expectation that is not met.

Exit status: 0 if every expectation was met, 1 if one was not, 2 (by WorkbenchError) if a file is missing,
malformed or impossible. Nothing is run when any file is malformed. The format is in docs/replay.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import not_known

if TYPE_CHECKING:
    from workbench.core import contracts
    from workbench.core.replay_target import Engine
    from workbench.replay import ReplayFile
    from workbench.replay.runner import ProtocolOf

FORMATS = ("text", "json")


def add(subparsers: Any) -> None:
    """Declare ``replay`` and its arguments."""
    parser = _options.add_command(
        subparsers, "replay", run, "run replay files: operations on a machine and their expected results",
        description="Run replay files (docs/replay.md) and print each expectation that is not met.",
        example="workbench replay my.jsonl --engine kvm",
    )  # fmt: skip
    parser.add_argument("files", nargs="+", metavar="FILE", help="one JSON object per line")
    add_machine(parser)
    _options.add_output(parser, FORMATS)


def add_machine(parser: argparse.ArgumentParser) -> None:
    """Add the options that say on what files are run."""
    parser.add_argument("--engine", default="sim", metavar="ENGINE",
                        help="sim (the simulator) or kvm (this host's KVM); default: %(default)s")  # fmt: skip
    parser.add_argument(
        "--protocol",
        default="per_feature",
        metavar="NAME",
        help="protocol of machines that name none: a name, or path/to/file.py:Class (default: %(default)s)",
    )
    _options.add_names(parser, "--features",
                       "features of the machines: names, or path/to/file.py:Class (default: of each ABI)")  # fmt: skip


def run(args: argparse.Namespace) -> int:
    """Read all files, then run them; return the exit status. Raises WorkbenchError where the status is 2."""
    from workbench import replay
    from workbench.present import records

    results = list(replay.play(*asked(args.files, args)))
    as_json = args.format == "json"
    _options.write(args, records.as_json(replay.records(results)) if as_json else replay.as_text(results) + "\n")
    return 1 if replay.totals(results).failed else 0


def asked(paths: Sequence[str], args: argparse.Namespace) -> tuple[list[ReplayFile], Engine, ProtocolOf]:
    """Read files, and return what is played: the files, the engine, and the protocol of each machine."""
    from workbench import replay
    from workbench.features import choose
    from workbench.measure.variants import Variant, features_of
    from workbench.protocols import PROTOCOLS, find

    chosen = find(args.protocol)
    named = _options.unique(args.features)
    choose(named)
    files = [replay.read(path) for path in paths]
    for file in files:
        _check_protocols(file)
    engine = replay.find_engine(args.engine)

    def protocol_of(name: str | None) -> contracts.Protocol:
        kind = chosen if name is None else PROTOCOLS[name]
        return kind(features_of(Variant.of(kind), named))

    return files, engine, protocol_of


def _check_protocols(file: ReplayFile) -> None:
    """Raise WorkbenchError if a file names an unknown protocol; other code can be named on the command line only."""
    from workbench import replay
    from workbench.protocols import PROTOCOLS
    from workbench.replay.reading import protocols_named

    for line, name in protocols_named(file):
        if name not in PROTOCOLS:
            said = f"{file.name}:{line}: machine: protocol: {replay.quote(name)} is not allowed"
            raise not_known(said, name, PROTOCOLS, lead="allowed")
