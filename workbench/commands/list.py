"""``workbench list``: list the known protocols, features, events, properties, metrics and cost models."""

from __future__ import annotations

import argparse
import inspect
import re
from typing import TYPE_CHECKING, Any

from workbench.commands import _options

if TYPE_CHECKING:
    from workbench.core.contracts import Feature
    from workbench.measure.variants import Variant

Lists = dict[str, list[dict[str, Any]]]

#: A numbered clause at the beginning of a line of a protocol's docstring: R1, or C1, P12, R3a.
_CLAUSE = re.compile(r"^\s*(?:[-*]\s+)?[A-Z]\d+[a-z]?\b(?=[ .:)])", re.MULTILINE)


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "list", run, "list protocols, features, events, properties, metrics, cost models",
        description=__doc__,
        example="workbench list --format json",
    )  # fmt: skip
    _options.add_names(
        parser, "--protocols", "protocols to list, also path/to/file.py:Class (default: those known)"
    )
    _options.add_happening(parser)
    _options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    """Write the lists."""
    _options.write(args, _render(args.format, _lists(args)))
    return 0


def _lists(args: argparse.Namespace) -> Lists:
    from workbench import features, lifecycle
    from workbench.checking.failures import FAILURES
    from workbench.measure.comparison import cost
    from workbench.measure.comparison.metrics import COST, METRICS

    chosen = lifecycle.choose(_options.unique(args.events))
    models = [cost.load(name) for name in cost.known()]
    return {
        "protocol": _protocols(args.protocols),
        "feature": [
            {
                "name": f.name,
                "title": f.title,
                "bytes": f.size,
                "scope": f.scope,
                "served by": f.served_by,
                "updates": _updates(f),
            }
            for f in (features.choose(_options.unique(args.features)) if args.features else features.SHIPPED.values())
        ],
        "event": [{"name": e.name, "vcpus": e.min_vcpus, "title": e.title} for e in chosen],
        "property": [
            {"name": failure.name, "code": failure.code, "title": failure.title, "what": failure.what}
            for failure in FAILURES.values()
        ],
        "metric": [
            *({"name": m.name, "unit": m.unit, "title": m.title, "by updates": m.by_updates} for m in METRICS.values()),
            {"name": COST, "unit": "cycles", "title": "of the exits, by --cost-model", "by updates": False},
        ],
        "cost model": [
            {
                "name": m.name,
                "date": m.date,
                "kernel": m.kernel_exit_cycles,
                "user": m.user_exit_cycles,
                "title": m.title,
            }
            for m in models
        ],
    }


def _updates(feature: Feature) -> str:
    """Return when a run updates the payload, and what a count of that is for a real host's."""
    from workbench.present.text.updates import OCCASIONS

    if feature.update_when == "never":
        return "none"
    return f"{OCCASIONS[feature.update_when]} ({feature.count_is})"


def _protocols(chosen: list[str] | None) -> list[dict[str, Any]]:
    from workbench.measure.variants import variants
    from workbench.protocols import PROTOCOLS

    return [
        {
            "name": one.label,
            "title": one.kind.title,
            "source": one.kind.source or "none",
            "features": _carried(one),
            "clauses": len(_CLAUSE.findall(_opening(one.kind))),
            "mitigations": " ".join(one.kind.mitigations_known) or "none",
            "readings": " ".join(one.kind.readings_known) or "none",
        }
        for one in variants(chosen or PROTOCOLS)
    ]


def _carried(one: Variant) -> str:
    """Return the features that a design can express: those of its own ABI, or of KVM's."""
    from workbench.measure.variants import features_of

    features = features_of(one)
    protocol = one.protocol(features)
    return " ".join(feature.name for feature in features if protocol.supports(feature)) or "none"


def _opening(kind: type) -> str:
    """Return the docstring of the file that defines ``kind``; a file given by its path is not an imported module."""
    functions = [value for value in vars(kind).values() if inspect.isfunction(value)]
    return inspect.unwrap(functions[0]).__globals__.get("__doc__") or "" if functions else ""


def _render(form: str, lists: Lists) -> str:
    from workbench.present import records

    if form in ("json", "csv"):
        flat = [{"kind": kind, **one} for kind, found in lists.items() for one in found]
        return records.as_indented_json(flat) if form == "json" else records.as_csv(flat, ("kind", "name", "title"))
    return _as_tables(lists, markdown=form == "markdown")


#: Plurals that take more than an "s".
_PLURALS = {"property": "properties"}

#: Notes printed below a list.
_NOTES = {
    "feature": [
        "updated: when a run updates the payload; in brackets, what a count of these updates is for the real host's.",
    ],
    "event": ["vcpus: the least number of vCPUs to which the event can happen."],
    "metric": ["vm_entries: where the event says so, not after each exit."],
    "cost model": [
        "kernel, user: cycles of an exit handled by KVM or by the VMM; hardware and source of each stand in "
        "its file and below every table that uses it."
    ],
}


#: What is too long for a column is said in a note, behind the name and this.
_IN_NOTES = {
    "source": "",
    "what": "",
    "features": " carries",
    "updates": " updated",
    "mitigations": "+...",
    "readings": " or +...",
}


def _as_tables(lists: Lists, *, markdown: bool) -> str:
    from workbench.present.text.table import Column, Table, as_markdown, as_text

    parts = []
    for kind, found in lists.items():
        details = [{key: one[key] for key in one if key not in _IN_NOTES and key != "by updates"} for one in found]
        notes = [
            f"{one['name']}{prefix}: {one[key]}"
            for one in found
            for key, prefix in _IN_NOTES.items()
            if one.get(key, "none") != "none"
        ]
        notes += _NOTES.get(kind, ())
        if by_updates := [one["name"] for one in found if one.get("by updates")]:
            notes.append(f"Follow from how often a run updates payloads: {', '.join(by_updates)}.")
        columns = [Column(key) for key in details[0]]
        title = _PLURALS.get(kind, f"{kind}s")
        table = Table(title, columns, [list(one.values()) for one in details], labels=1, notes=notes)
        parts.append(as_markdown(table) if markdown else as_text(table))
    return "\n".join(parts)
