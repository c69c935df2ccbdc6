"""How a view is asked for again: as a command line, as Python, and as a value (JSON)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from shlex import quote
from typing import Any

from workbench.checking.failures import Failure
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.own_files import named
from workbench.measure.exploration.explore import Question
from workbench.measure.exploration.matrix import Size, sizes_for
from workbench.measure.label import Label
from workbench.measure.variants import Variant


def name_of(variant: Variant) -> str:
    """Return what names a variant in a command line: one from a file by its path."""
    own = named(variant.kind) if hasattr(variant.kind, "name") else variant.label
    return str(Label(own, variant.mitigations)) if own != variant.kind.name else variant.label


def trace_again(question: Question, failure: Failure | None) -> dict[str, Any]:
    """Return the ``command`` line, the ``python`` and the settings (``asked``) of a trace."""
    name, event = name_of(question.variant), named(question.event)
    features = [named(feature) for feature in question.features]
    option, argument = ("", "") if failure is None else (f" --property {failure.name}", f", failure={failure.name!r}")
    line = f"--events {quote(event)} --features {_list(features)} --vcpus {question.vcpus}"
    call = f"trace({name!r}, {event!r}, {features!r}, vcpus={question.vcpus}{argument})"
    asked = {"protocols": [name], "events": [event], "features": features, "vcpus": question.vcpus}
    return {
        "command": f"workbench page trace {quote(name)} {line}{option} -o trace.html",
        "python": f"from workbench.present.web import trace\n\n{call}\n",
        "asked": asked | ({"property": failure.name} if failure else {}),
    }


def operation_again(protocol: Variant, feature: Feature, what: str, gpa: int, usual: int) -> dict[str, Any]:
    """Return the same of one operation; a command line only where the area is at its ``usual`` address."""
    name, area = name_of(protocol), named(feature)
    where = "" if gpa == usual else f", gpa={gpa:#x}"
    found: dict[str, Any] = {
        "python": f"from workbench.present.web import operation\n\noperation({name!r}, {area!r}, {what!r}{where})\n",
        "asked": {"protocols": [name], "features": [area], "operation": what, "gpa": gpa},
    }
    if not where:
        found["command"] = (
            f"workbench page operation {quote(name)} --feature {quote(area)} --what {what} -o {what}.html"
        )
    return found


def map_again(variants: Sequence[Variant], events: Sequence[Event], sizes: Iterable[Size]) -> dict[str, Any]:
    """Return the same of a failure map; a command line only where one can ask for these sizes."""
    designs, chosen = [name_of(one) for one in variants], list(dict.fromkeys(sizes))
    owns = dict.fromkeys(one.kind.own_features for one in variants)
    usual = list(dict.fromkeys(size for own in owns for event in events for size in sizes_for(event, own)))
    names = [named(event) for event in events]
    line = f"workbench page matrix --protocols {_list(designs)} --events {_list(names)}"
    wanted = ", ".join(f"Size({size.vcpus}, {size.features!r}, {size.reads})" for size in chosen)
    given = "one for event in events for one in sizes_for(event)" if chosen == usual and not any(owns) else wanted
    asked: dict[str, Any] = {"protocols": designs, "events": names}
    if chosen == usual:
        command = f"{line} -o failures.html"
    elif len(chosen) == 1 and not chosen[0].reads:
        command = f"{line} --features {_list(chosen[0].features)} --vcpus {chosen[0].vcpus} -o failures.html"
    else:
        command = ""
    if chosen != usual:
        asked["sizes"] = [[size.vcpus, list(size.features), size.reads] for size in chosen]
    python = f"""from workbench.lifecycle import choose
from workbench.measure import variants
from workbench.measure.exploration.matrix import Size, matrix, sizes_for
from workbench.present.web import failure_map

designs, events = variants({designs!r}), choose({names!r})
sizes = [{given}]
failure_map(matrix(designs, events{"" if chosen == usual else ", sizes=sizes"}), designs, sizes)
"""
    return {"command": command, "python": python, "asked": asked}


def _list(names: Iterable[str]) -> str:
    return ",".join(map(quote, names))


__all__ = ["map_again", "name_of", "operation_again", "trace_again"]
