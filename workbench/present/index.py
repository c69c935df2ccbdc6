"""The first page of a report: the comparison, what fails and where, two traces, and links to every other file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from workbench.checking.failures import FAILURES
from workbench.core.contracts.event import Event
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import Variant
from workbench.present.progress import Progress
from workbench.present.text.report import Parameters
from workbench.present.web import View, comparison, failure_map, operation, page

#: What is explored for the page: small enough for seconds, and each shows another kind of failure.
EXPLORED = ("boot", "kexec", "kexec-no-teardown", "migrate", "old-host", "ignore-msrs", "hostile-bad-base")
ALONE, RACING = (Size(1, ("steal_time",)),), (Size(2, ("steal_time",)),)
RACE = "descriptor-race"
NAME = "index.html"


@dataclass(frozen=True)
class Explored:
    """The searches of a report: their cells, and the sizes."""

    cells: tuple[Cell, ...]
    sizes: tuple[Size, ...] = (*ALONE, *RACING)


def explore(variants: Sequence[Variant], say: Progress) -> Explored:
    """Explore a few events with one vCPU, and the race with two."""

    def told(done: int, of: int, task: object) -> None:
        say(f"searches: {done} of {of}")

    alone: list[Event] = [EVENTS[name] for name in EXPLORED]
    found = matrix(variants, alone, sizes=ALONE, progress=told) + matrix(variants, [EVENTS[RACE]], sizes=RACING)
    order = [variant.label for variant in variants]
    return Explored(tuple(sorted(found, key=lambda cell: order.index(str(cell.label())))))


def first_page(parameters: Parameters, explored: Explored, folder: Path, say: Progress) -> str:
    """Return the page; ``folder`` has the files that it links to."""
    variants = parameters.variants
    views: list[View] = [
        comparison(
            variants, parameters.events, parameters.features, vcpus=parameters.vcpus, each_feature=False,
            progress=say.counting("comparison, runs"),
        ),
        failure_map(explored.cells, variants, explored.sizes),
    ]  # fmt: skip
    shown = next((one for one in parameters.features if one.name in FEATURES and one.size), None)
    if shown is not None:
        views += [operation(one, shown) for one in variants if one.protocol(parameters.features).supports(shown)]
    title = f"Registration protocols compared: {', '.join(variant.label for variant in variants)}"
    return page(title, views, links=_links(folder))


def _links(folder: Path) -> list[tuple[str, str]]:
    """Return (file, what it is) of every file of a report that a reader opens."""
    kinds = {".txt": "every table as text", ".html": "notebook", ".png": "figure", ".csv": "numbers"}
    found = [path for kind in kinds for path in sorted(folder.glob(f"*{kind}")) if path.name != NAME]
    return [(path.name, f"{path.stem} ({kinds[path.suffix]})") for path in found]


def failing(explored: Explored, label: str) -> list[Cell]:
    """Return the cells of one variant that fail, the shortest trace first."""
    cells = (cell for cell in explored.cells if str(cell.label()) == label and cell.verdict == "FAILS")
    return sorted(cells, key=lambda cell: (cell.steps or 0, FAILURES[cell.property].title))
