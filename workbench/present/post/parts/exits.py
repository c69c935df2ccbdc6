"""Exits of each event, and how those of the first event grow with the number of vCPUs."""

from __future__ import annotations

from workbench.measure.comparison.growth import line, over_vcpus
from workbench.present.post.asked import Asked
from workbench.present.post.chart import bars
from workbench.present.post.lines import wrapped
from workbench.present.post.section import Section
from workbench.present.text.table import as_text
from workbench.present.text.tables import events_by_protocol

#: Numbers of vCPUs that decide whether exits grow by a straight line.
POINTS = (1, 2, 4, 16)


def section(asked: Asked, words: str) -> Section:
    """Return a bar for each design, the law of growth, and a table of all events."""
    first = asked.events[0]
    table = asked.table
    of_first = {row.protocol: row.value for row in table.itertuples()
                if (row.event, row.metric) == (first.name, "exits")}  # fmt: skip
    told = [(one.label, int(of_first[one.label])) for one in asked.variants]
    claim = f"Exits in {first.name}, {asked.vcpus} vCPUs: {', '.join(f'{name} {number}' for name, number in told)}."
    laws = []
    for one in asked.variants:
        grown = over_vcpus([one], asked.of(one), first, POINTS, ("exits",), asked.seed)
        laws.append(wrapped(f"  {one.label}: {_law(line(grown, one.label, 'exits'))}", "    "))
    return Section(
        "Exits",
        claim,
        (bars(told, "exits"), f"By number of vCPUs V, from runs with {_listed(POINTS)}:\n{''.join(laws)}",
         as_text(events_by_protocol(table))),
        [asked.compare_command()],
    )  # fmt: skip


def _law(straight: tuple[int, int] | None) -> str:
    if straight is None:
        return "not a straight line"
    fixed, each = straight
    return f"{fixed} + {each} V" if fixed else f"{each} V"


def _listed(points: tuple[int, ...]) -> str:
    *others, last = map(str, points)
    return f"{', '.join(others)} and {last} vCPUs"
