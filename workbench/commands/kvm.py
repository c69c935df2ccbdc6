"""``workbench kvm``: run protocols and events on this host's KVM and compare the fates with the simulator's.

Exit status: 0 if every fate is the same or differs for a known reason, 1 if one differs for no known reason, 2 (with
one line that says why and what to do) if this host has no usable KVM.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import EngineError

if TYPE_CHECKING:
    from workbench.measure.on_kvm.kvm_agreement import Agreement

DEFAULT_VCPUS = 4
MOST_VCPUS = 240


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "kvm", run, "run protocols and events on this host's KVM; compare with the simulator",
        description=__doc__,
        example="workbench kvm --events boot,migrate --protocols generic,generic+carry-registry",
    )  # fmt: skip
    parser.add_argument(
        "--probe", action="store_true", help="only print what this KVM is, or why it cannot be used"
    )
    parser.add_argument(
        "--vcpus",
        type=_options.whole_number(1, MOST_VCPUS),
        default=DEFAULT_VCPUS,
        metavar="N",
        help=f"vCPUs of the guest, 1 to {MOST_VCPUS} (default {DEFAULT_VCPUS})",
    )
    _options.add_names(parser, "--protocols", "protocols, by name or as path/to/file.py:Class; +MITIGATION")
    _options.add_happening(parser)
    _options.add_state(parser, "runs")
    _options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Probe; without ``--probe`` also run, compare and write."""
    from workbench.engines.kvm.engine import this_host
    from workbench.features import choose as choose_features
    from workbench.lifecycle import choose as choose_events
    from workbench.measure.on_kvm import kvm_agreement
    from workbench.measure.on_kvm import runs as on_kvm
    from workbench.measure.variants import DEFAULT, variants
    from workbench.present.progress import Progress

    host = this_host()
    if args.probe and host.available:
        lacking = f"; lacks {', '.join(host.missing)}" if host.missing else ""
        _options.write(args, f"{host.line}{lacking}\n")
        return 0
    if not host.available:
        raise EngineError(host.line)
    chosen = variants(_options.unique(args.protocols) or DEFAULT)
    named = _options.unique(args.features)
    features = choose_features(named) if named else ()
    events = choose_events(_options.unique(args.events)) if args.events else None
    with _options.opened_state(args) as store:
        found = on_kvm.measurements(chosen, events, features or None, args.vcpus, Progress(), store)
        lines = kvm_agreement.beside(found, host.kernel, chosen, features=features, events=events or ())
        _options.write(args, _render(args.format, lines, host.line))
    return 1 if kvm_agreement.unexplained(lines) else 0


def _render(form: str, lines: list[Agreement], host: str) -> str:
    from workbench.present import records
    from workbench.present.text import on_kvm as kvm_tables
    from workbench.present.text.table import as_markdown, as_text

    if form in ("json", "csv"):
        lines_here = [{**line._asdict(), "host": host} for line in lines]
        return records.as_json(lines_here) if form == "json" else records.as_csv(lines_here)
    found = kvm_tables.words(lines, host)
    return as_markdown(found) if form == "markdown" else as_text(found)
