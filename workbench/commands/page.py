"""``workbench page``: write what the notebooks show as one HTML file that needs no network.

``trace`` shows the steps of one design, or of two side by side; ``operation`` those of one registration, update, read
or revocation; ``replay`` the operations of a replay file; ``matrix`` what fails under which event, with the trace of
each failure; ``compare`` exits, state and fates; ``skew`` what comes of old and new guests, kernels and VMMs together;
``verdict`` designs by what runs say of them; ``registers`` what KVM's registers do with values; ``measured`` what a
real KVM did, as recorded; ``slides`` a lecture of ten ideas. Attach the file to a mail, or put it on a web page.
"""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any

from workbench.commands import _options, replay, skew, verdict
from workbench.errors import WorkbenchError

if TYPE_CHECKING:
    from workbench.measure.variants import Variant
    from workbench.present.web import View

#: Without ``--events``, a trace is of this event.
EVENT = "boot"
#: Without ``--feature``, an operation is on an area of this one, if the design has no ABI of its own.
FEATURE = "kvmclock"


def add(subparsers: Any) -> None:
    """Declare the command and what it can show."""
    parser = _options.add_command(
        subparsers, "page", run, "one HTML file: traces, the failure map, or the comparison",
        description=__doc__,
        example="workbench page trace generic --events migrate --property lost-registration -o lost.html",
    )  # fmt: skip
    kinds = parser.add_subparsers(dest="kind", metavar="KIND", required=True)
    _add_trace(kinds)
    _add_operation(kinds)
    _add_replay(kinds)
    _add_matrix(kinds)
    _add_compare(kinds)
    _add_skew(kinds)
    verdict.add_what(_kind(kinds, "verdict", _verdict, "the page that decides: designs by what runs say of them",
                           "workbench page verdict generic per_feature -o verdict.html"))  # fmt: skip
    _add_registers(kinds)
    _add_slides(kinds)
    _kind(kinds, "measured", _measured, "what a real KVM did, as recorded, beside the simulator",
          "workbench page measured -o measured.html")  # fmt: skip


def _kind(kinds: Any, name: str, view: Any, title: str, example: str) -> argparse.ArgumentParser:
    said = f"{title[0].upper()}{title[1:]}."
    parser = _options.add_command(kinds, name, run, title, description=said, example=example)
    parser.set_defaults(view=view)
    _options.add_result_file(parser)
    return parser


def _add_trace(kinds: Any) -> None:
    parser = _kind(kinds, "trace", _trace, "the steps of a design under an event, one by one",
                   "workbench page trace generic per_feature --events kexec -o kexec.html")  # fmt: skip
    parser.add_argument("protocols", nargs="+", metavar="PROTOCOL", help="one, or two side by side; as in explore")
    _options.add_happening(parser, "default steal_time, or the first of the design's own ABI", f"one; default {EVENT}")
    parser.add_argument("--vcpus", type=_options.whole_number(1, 8), metavar="N",
                        help="vCPUs of the guest, 1 to 8 (default: as the event needs; 2 for shared state)")
    parser.add_argument("--property", metavar="NAME",
                        help="the shortest way to this failure, by code or name (default: one simulated schedule)")


def _add_operation(kinds: Any) -> None:
    parser = _kind(kinds, "operation", _operation, "one operation of a design, step by step",
                   "workbench page operation generic --what update -o update.html")  # fmt: skip
    parser.add_argument("protocol", metavar="PROTOCOL", help="as in explore")
    parser.add_argument("--feature", metavar="NAME",
                        help=f"of the area (default {FEATURE}, or the first of the design's own ABI)")
    parser.add_argument("--what", default="register", metavar="NAME",
                        help="register, update, read or unregister (default %(default)s)")


def _add_replay(kinds: Any) -> None:
    parser = _kind(kinds, "replay", _replay, "the operations of a replay file, one by one",
                   "workbench page replay my.jsonl --engine kvm -o my.html")  # fmt: skip
    parser.add_argument("file", metavar="FILE", help="one JSON object per line (docs/replay.md)")
    replay.add_machine(parser)


def _add_matrix(kinds: Any) -> None:
    parser = _kind(kinds, "matrix", _matrix, "what fails under which event, with the trace of each failure",
                   "workbench page matrix --protocols generic -o generic.html")  # fmt: skip
    _options.add_names(parser, "--protocols", "protocols as in compare (default generic,per_feature)")
    _options.add_happening(parser, "default: a few")
    parser.add_argument("--vcpus", type=_options.whole_number(1, 8), metavar="N",
                        help="vCPUs of the guest, 1 to 8 (default: a few sizes)")
    _options.add_names(parser, "--mitigations", "also each of these alone, and all together")
    _options.add_jobs(parser)
    _options.add_state(parser, "searches")


def _add_compare(kinds: Any) -> None:
    parser = _kind(kinds, "compare", _compare, "exits, state, fates and costs of designs under events",
                   "workbench page compare --protocols generic,per_feature -o compare.html")  # fmt: skip
    _options.add_names(parser, "--protocols", "protocols as in compare (default generic,per_feature)")
    _options.add_happening(parser)
    parser.add_argument("--vcpus", type=_options.whole_number(1, 4096), default=64, metavar="N",
                        help="vCPUs shown first, 1 to 4096 (default 64)")


def _add_skew(kinds: Any) -> None:
    parser = _kind(kinds, "skew", _skew, "old and new guests, kernels and VMMs: what works, what is lost",
                   "workbench page skew --protocols generic,per_feature -o skew.html")  # fmt: skip
    skew.add_what(parser)


def _add_registers(kinds: Any) -> None:
    parser = _kind(kinds, "registers", _registers, "what KVM's registers do with each kind of value",
                   "workbench page registers --write STEAL_TIME=0x1001 -o write.html")  # fmt: skip
    _options.add_names(parser, "--write", "these writes, one after the other: REGISTER=VALUE (default: the whole map)")
    parser.add_argument("--no-irqchip", action="store_true", help="the LAPIC is not in the kernel")
    parser.add_argument("--enforce-cpuid", action="store_true", help="with --write: KVM_CAP_ENFORCE_PV_FEATURE_CPUID")
    _options.add_names(parser, "--cpuid-bits", "with --write: the bits of CPUID 0x40000001 (default: all)")


def _add_slides(kinds: Any) -> None:
    parser = _options.add_command(
        kinds, "slides", _slides, "slides for a lecture: one idea per screen, each with a picture of a run",
        description="Slides for a lecture: one idea per screen. Arrow keys turn them; printed, each is a sheet.",
        example="workbench page slides -o slides.html",
    )  # fmt: skip
    _options.add_result_file(parser)


def run(args: argparse.Namespace) -> int:
    """Write the page."""
    from workbench.present.web import page

    view: View = args.view(args)
    _options.write(args, page(f"Paravirtual registration: {args.kind}", [view]))
    return 0


def _slides(args: argparse.Namespace) -> int:
    from workbench.present.progress import Progress
    from workbench.present.slides import slides

    _options.write(args, slides(Progress().counting("slides")))
    return 0


def _trace(args: argparse.Namespace) -> View:
    from workbench.measure.exploration.explore import Question
    from workbench.measure.variants import first_feature, variant
    from workbench.present.web import beside, trace

    events = _options.unique(args.events) or [EVENT]
    if len(events) > 1 or events == ["all"]:
        raise WorkbenchError(f"a trace is of one event; here are {', '.join(events)} (A+B is one event: A, then B)")
    named = _options.unique(args.features)
    if len(args.protocols) > 2:
        raise WorkbenchError(f"side by side are two designs; here are {len(args.protocols)}")
    asked = [(one, events[0], named or first_feature(variant(one)), args.vcpus) for one in args.protocols]
    if len(asked) == 1:
        return trace(*asked[0][:3], vcpus=args.vcpus, failure=args.property)
    return beside([Question.of(*one) for one in asked], args.property)


def _operation(args: argparse.Namespace) -> View:
    from workbench.measure.variants import variant
    from workbench.present.web import operation

    one = variant(args.protocol)
    return operation(one, args.feature or next(iter(one.kind.own_features), FEATURE), args.what)


def _registers(args: argparse.Namespace) -> View:
    from workbench.core.vcpu import Host
    from workbench.present.text.register_writes import circumstances, write_named
    from workbench.present.web import register_map, register_writes

    host = Host(irqchip=not args.no_irqchip)
    if args.write:
        wanted = [write_named(text) for text in args.write]
        view = register_writes(wanted, **circumstances(host, args.cpuid_bits, enforced=args.enforce_cpuid))
        return _again(view, args, write=",".join(args.write), no_irqchip=args.no_irqchip,
                      enforce_cpuid=args.enforce_cpuid, cpuid_bits=",".join(args.cpuid_bits or ()))  # fmt: skip
    if args.cpuid_bits or args.enforce_cpuid:
        raise WorkbenchError("--cpuid-bits and --enforce-cpuid are for --write: the map is of every register by itself")
    return register_map(host)


def _replay(args: argparse.Namespace) -> View:
    from workbench.present.web import replayed

    (file,), engine, protocol_of = replay.asked([args.file], args)
    view = replayed(file, engine, protocol_of, "on a real KVM" if args.engine == "kvm" else "simulated")
    return _again(view, args, args.file, engine=args.engine, protocol=args.protocol,
                  features=",".join(_options.unique(args.features) or ()))  # fmt: skip


def _again(view: View, args: argparse.Namespace, *positional: str, **options: str | bool) -> View:
    """Give a view that does not know all of its command line the one that was used."""
    words = ["workbench", "page", args.kind, *positional]
    for name, value in options.items():
        if value:
            words += [f"--{name.replace('_', '-')}", *([] if value is True else [str(value)])]
    view.data["command"] = shlex.join([*words, "-o", f"{args.kind}.html"])
    return view


def _matrix(args: argparse.Namespace) -> View:
    from workbench import features, lifecycle
    from workbench.core import own_files
    from workbench.durable.efforts import Efforts
    from workbench.measure.exploration.matrix import Size, matrix, sizes_of
    from workbench.measure.exploration.mitigations import price
    from workbench.present.progress import Progress
    from workbench.present.web import failure_map

    say, efforts, variants = Progress(), Efforts(), _variants(args)
    events = lifecycle.choose(_options.unique(args.events))
    sizes = None
    if args.vcpus is not None or args.features is not None:
        chosen = features.choose(_options.unique(args.features)) if args.features else ()
        sizes = [Size(args.vcpus or 1, tuple(own_files.named_anywhere(one) for one in chosen))]
    with _options.opened_state(args) as store, _options.workers(args) as jobs:
        told = say.searches(efforts)
        cells = matrix(variants, events, sizes=sizes, jobs=jobs, state=store, progress=told, efforts=efforts)
    say("traces")
    return failure_map(
        cells,
        variants,
        [size for one in variants for event in events for size in sizes_of(one, event, sizes)],
        command=f"{_options.again(args, 'page matrix')} -o failures.html",
        prices={variant.label: price(variant) for variant in variants},
        happening=events,
    )


def _variants(args: argparse.Namespace) -> list[Variant]:
    """Return each protocol, with each mitigation that was asked for alone, and with all of these."""
    from workbench.measure.exploration.mitigations import mitigated
    from workbench.measure.variants import DEFAULT, Variant, variants

    bare = variants(args.protocols or DEFAULT)
    found = list(bare)
    for most in mitigated(bare, args.mitigations) if args.mitigations else ():
        each = [Variant.of(most.kind, (name,)) for name in most.mitigations]
        found += each if len(each) == 1 else [*each, most]
    return list(dict.fromkeys(found))


def _compare(args: argparse.Namespace) -> View:
    from workbench.measure.variants import DEFAULT
    from workbench.present.progress import Progress
    from workbench.present.web import comparison

    return comparison(
        args.protocols or DEFAULT,
        _options.unique(args.events),
        _options.unique(args.features),
        vcpus=args.vcpus,
        progress=Progress().counting("runs"),
    )


def _skew(args: argparse.Namespace) -> View:
    from workbench.measure.variants import DEFAULT
    from workbench.present.progress import Progress
    from workbench.present.web import version_skew

    return version_skew(
        args.protocols or DEFAULT,
        _options.unique(args.features),
        _options.unique(args.about),
        vcpus=args.vcpus,
        progress=Progress().counting("combinations"),
    )


def _verdict(args: argparse.Namespace) -> View:
    from workbench.measure.verdict.scope import pieces
    from workbench.present.web import verdict_page

    words = [*(args.protocols or ()), *(["--quick"] if args.quick else []),
             *([] if args.repairs else ["--no-repairs"])]  # fmt: skip
    for option in ("features", "events"):
        if named := _options.unique(getattr(args, option)):
            words += [word for piece in pieces(f"--{option}", named) for word in shlex.split(piece)]
    with _options.opened_state(args) as store:
        return verdict_page(verdict.answered(args, store), words)


def _measured(args: argparse.Namespace) -> View:
    from workbench.present.web import recorded

    return recorded()
