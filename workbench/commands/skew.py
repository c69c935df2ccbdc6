"""``workbench skew``: version skew, every combination of old and new guests, host kernels and VMMs, each one run.

works: served; unused: the guest asks for nothing; refused: somebody is told no; lost: the guest believes in what no
host serves; worse: the host writes where it must not, or the VM stops. Parts: boot, kexec (an old kernel follows a new
one in the guest), move (a running machine moves to another host), cpuid (offered or not, heeded or not, enforced or
not), size (a payload has got one field more).

A combination is GUEST/KERNEL/VMM, for example blind/ignore/new:
  guest   old, new (asks if CPUID offers it), blind (asks in any case), revoked, crashed (new, then an old kernel)
  kernel  old (#GP), new, ignore (ignore_msrs=1), type (knows the call, not this type of area)
  VMM     old (knows neither exit nor CPUID bit nor state), new
  then    :hidden or :claimed (CPUID offers less, or more, than is known), :enforced, +KERNEL/VMM (moves there)
or GUEST/HOST, each short or long, then :padding, :i386, for example short/long:i386.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from workbench.commands import _options
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.measure.variants import Variant


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "skew", run, "old and new guests, kernels and VMMs: what works, what is lost",
        description=__doc__,
        example="workbench skew --protocols generic --features steal_time --trace blind/ignore/new",
    )  # fmt: skip
    add_what(parser)
    parser.add_argument("--trace", metavar="COMBINATION",
                        help="the steps of this combination, with the feature whose verdict is the worst")
    _options.add_output(parser, _options.EXPLORED_FORMATS)


def add_what(parser: argparse.ArgumentParser) -> None:
    """Add the options that say what is put together."""
    _options.add_names(parser, "--protocols", "protocols as in compare (default generic,per_feature)")
    _options.add_names(parser, "--features", "features, by name, all, or path/to/file.py:Class (default: of each ABI)")
    _options.add_names(parser, "--about", "parts of the table: boot, kexec, move, cpuid, size (default all)")
    parser.add_argument("--vcpus", type=_options.whole_number(1, 8), default=1, metavar="N",
                        help="vCPUs of the guest, 1 to 8 (default 1)")


def run(args: argparse.Namespace) -> int:
    """Run every combination, or show one, and write what was seen."""
    from workbench.measure.variants import DEFAULT, variants
    from workbench.present.web.again import name_of

    chosen = variants(_options.unique(args.protocols) or DEFAULT)
    features = _options.unique(args.features)
    if args.trace is not None:
        return _trace(args, chosen, features)
    return _table(args, chosen, features, {one.label: name_of(one) for one in chosen})


def _table(
    args: argparse.Namespace, chosen: tuple[Variant, ...], features: list[str] | None, named: dict[str, str]
) -> int:
    from workbench.measure.skew.run import BROKE_OFF
    from workbench.measure.skew.table import rows
    from workbench.present import records
    from workbench.present.progress import Progress
    from workbench.present.text.skew import skew_text

    found = rows(chosen, features, _options.unique(args.about), vcpus=args.vcpus, named=named,
                 progress=Progress().counting("combinations"))  # fmt: skip
    if args.format == "text":
        text = skew_text(found)
    else:
        flat = [row._asdict() for row in found]
        text = records.as_json(flat) if args.format == "json" else records.as_csv(flat)
    _options.write(args, text)
    return 1 if any(row.verdict == BROKE_OFF for row in found) else 0


def _trace(args: argparse.Namespace, chosen: tuple[Variant, ...], features: list[str] | None) -> int:
    from workbench.measure.skew.combinations import read
    from workbench.measure.skew.run import BROKE_OFF
    from workbench.measure.skew.table import worst_run
    from workbench.present import records
    from workbench.present.text.skew import trace_record, trace_text

    if args.format == "csv":
        raise WorkbenchError("a trace is no table: --trace is written as text or json")
    if args.about is not None:
        raise WorkbenchError("--about chooses parts of the table; --trace shows one combination, which it names")
    what = read(args.trace)
    found = [worst_run(one, features, what, args.vcpus) for one in chosen]
    text = "\n".join(map(trace_text, found))
    if args.format == "json":
        text = records.as_indented_json([trace_record(ran) for ran in found])
    _options.write(args, text)
    return 1 if any(ran.verdict == BROKE_OFF for ran in found) else 0
