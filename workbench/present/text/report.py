"""The comparison as one text: tables, then everything needed to reproduce it.

For a terminal or a plain-text mail: 72 columns of ASCII that end with the parameters, the seed, the version and
the command. The Markdown form has the same parts in the same order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from textwrap import wrap

import workbench
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.outcome import Fate
from workbench.core.own_files import described
from workbench.measure.comparison.compare import BROKE_OFF
from workbench.measure.comparison.cost import CostModel
from workbench.measure.comparison.runs import measured
from workbench.measure.rows import Row
from workbench.measure.variants import Variant, features_of
from workbench.present.text import pairs, tables, updates
from workbench.present.text.command_line import command_lines
from workbench.present.text.table import WIDTH, Table, as_markdown, as_text
from workbench.printable import ascii_only, printable

DISCLAIMER = "simulated, not measured on hardware"


@dataclass(frozen=True)
class Parameters:
    """The parameters of a comparison; ``command`` is in pieces between which its line may be broken."""

    variants: tuple[Variant, ...]
    features: tuple[Feature, ...]
    events: tuple[Event, ...]
    vcpus: int
    seed: int
    cost_model: CostModel | None
    command: tuple[str, ...]
    left_out: tuple[Event, ...] = ()
    broken: tuple[str, ...] = ()  #: the runs in which a program failed, and why
    named: bool = True  #: the features were named; if not, each design has those of its own ABI

    def features_of(self, one: Variant) -> tuple[Feature, ...]:
        """Return the features with which a variant is measured."""
        return features_of(one, self.features if self.named else None)

    @property
    def apart(self) -> bool:
        """Whether the designs carry different features: those of several ABIs."""
        return len({self.features_of(one) for one in self.variants}) > 1


def comparison(table: list[Row], parameters: Parameters) -> list[Table]:
    """Return the tables of a comparison: the first event, all events, and the state entry by entry."""
    first, metrics = parameters.events[0], {row.metric for row in table}
    carried = [(one, parameters.features_of(one)) for one in parameters.variants]
    every = tuple({own.name: own for _, features in carried for own in features}.values())
    ended = {row.protocol for row in table if (row.event, row.value) == (first.name, BROKE_OFF)}
    found = [tables.summary(table, first.name, parameters.cost_model, every)]
    if "payload_updates" in metrics:
        whole = [(one, features) for one, features in carried if one.label not in ended]
        found.append(updates.table(whole, parameters.vcpus, first, parameters.seed))
    if metrics & {"fate", "exits"}:
        many = pairs.joined(parameters.events)
        names = {event.name for event in many}
        others = [row for row in table if row.event not in names]
        if others:
            found.append(tables.events_by_protocol(others))
        if names and "fate" in metrics:
            found.append(pairs.pairs_table(table, parameters.variants, many, partial(_fate, parameters)))
    if any(metric.startswith("state_") for metric in metrics):
        found += [
            tables.state_table(one, features, parameters.vcpus, first, parameters.seed)
            for one, features in carried
            if one.label not in ended
        ]
    if parameters.broken:
        found.append(Table("Runs in which a program failed", [], [], notes=parameters.broken))
    return found


def _fate(parameters: Parameters, variant: Variant, event: Event) -> Fate:
    return measured(variant, parameters.features_of(variant), parameters.vcpus, event, parameters.seed).fate


def as_plain_text(found: Sequence[Table], parameters: Parameters) -> str:
    """Return tables and parameters as plain text, 72 columns."""
    title = "Registration protocols compared"
    head = f"{title}\n{'=' * len(title)}\n{_subtitle(parameters)}\n"
    return "\n".join([head, *(as_text(one) for one in found), _parameters(parameters)])


def as_markdown_text(found: Sequence[Table], parameters: Parameters) -> str:
    """Return tables and parameters as Markdown."""
    head = f"# Registration protocols compared\n\n{_subtitle(parameters)}\n"
    notes = "\n".join(f"* {printable(line)}" for line in _parameter_lines(parameters))
    command = printable(" ".join(parameters.command))
    tail = f"## Parameters\n\n{notes}\n\n```console\n$ {command}\n```\n"
    return "\n".join([head, *(as_markdown(one) for one in found), tail])


def _subtitle(parameters: Parameters) -> str:
    vcpus = f"{parameters.vcpus} vCPU" + ("" if parameters.vcpus == 1 else "s")
    features = "features of each design" if parameters.apart else f"{len(parameters.features)} features"
    return f"{vcpus}, {features}; {DISCLAIMER}"


def _parameter_lines(parameters: Parameters) -> list[str]:
    lines = [
        f"protocols: {', '.join(one.label for one in parameters.variants)}",
        *_features_lines(parameters),
        f"events: {_events_text(parameters.events)}",
        f"vCPUs: {parameters.vcpus}",
        f"seed: {parameters.seed}",
        f"version: workbench {workbench.__version__}",
        f"engine: simulate ({DISCLAIMER})",
    ]
    few = [event for event in parameters.left_out if event not in pairs.joined(parameters.left_out)]
    lines += [f"left out, needs {event.min_vcpus} vCPUs: {event.name}" for event in few]
    if len(few) < len(parameters.left_out):
        lines.append(f"left out, need more vCPUs: {len(parameters.left_out) - len(few)} joined events")
    return lines


def _features_lines(parameters: Parameters) -> list[str]:
    if not parameters.apart:
        return [f"features: {', '.join(described(*parameters.features))}"]
    return [
        f"features of {one.label}: {', '.join(described(*parameters.features_of(one)))}" for one in parameters.variants
    ]


def _events_text(events: Sequence[Event]) -> str:
    """Return the events as text; joined ones are only counted if there are many."""
    many = pairs.joined(events)
    texts = described(*(event for event in events if not many or event not in many))
    return ", ".join([*texts, *([f"{len(many)} joined events"] if many else [])])


def _parameters(parameters: Parameters) -> str:
    lines = ["Parameters", "----------"]
    for text in _parameter_lines(parameters):
        lines += wrap(ascii_only(text), WIDTH, subsequent_indent="  ")
    return "\n".join([*lines, *command_lines(parameters.command, "command: ")]) + "\n"
