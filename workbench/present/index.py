"""The first page of a report: the comparison, what fails and where, two traces, and links to every other file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from urllib.parse import quote

from workbench.checking.failures import FAILURES
from workbench.core.contracts.event import Event
from workbench.features import FEATURES, OTHERS
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.matrix import Size, matrix, sizes_of
from workbench.measure.variants import Variant
from workbench.present import report
from workbench.present.progress import Progress
from workbench.present.text.report import Parameters
from workbench.present.web import View, comparison, failure_map, operation, page

#: What is explored for the page: small enough for seconds, and each shows another kind of failure.
EXPLORED = ("boot", "kexec", "kexec-no-teardown", "migrate", "old-host", "ignore-msrs", "hostile-bad-base")
ALONE, RACING = (Size(1, ()),), (Size(2, ()),)  # of the first feature of each design
RACE = "descriptor-race"
SHIPPED = FEATURES | OTHERS
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


def first_page(parameters: Parameters, explored: Explored, found: str, files: Sequence[Group], say: Progress) -> str:
    """Return the page. ``found``: what was found, as text; ``files``: those beside the page, explained."""
    variants = parameters.variants
    views: list[View] = [
        comparison(
            variants, parameters.events, parameters.features if parameters.named else None,
            vcpus=parameters.vcpus, each_feature=False,
            progress=say.counting("comparison, runs"),
        ),
        failure_map(
            explored.cells, variants,
            [size for one in variants for size in sizes_of(one, EVENTS["boot"], explored.sizes)],
        ),
    ]  # fmt: skip
    for one in variants:
        offered = (own for own in parameters.features_of(one) if own.name in SHIPPED and own.size)
        shown = next((own for own in offered if one.protocol(parameters.features).supports(own)), None)
        views += [] if shown is None else [operation(one, shown)]
    parts = [(f"#view{number}", view.data["title"]) for number, view in enumerate(views, start=1)]
    parts += [(f"#files{number}", title) for number, (title, _) in enumerate(files, start=1)]
    above = f"<pre>{escape(found)}</pre>\n<nav>On this page: {', '.join(_link(*part) for part in parts)}</nav>"
    title = f"Registration protocols compared: {', '.join(variant.label for variant in variants)}"
    return page(title, views, above=above, below="\n".join(map(_listed, range(1, len(files) + 1), files)))


#: A heading, and for each line the files it is about and a sentence that says what is in them.
Group = tuple[str, Sequence[tuple[Sequence[str], str]]]


def files_of(names: Iterable[str], notebooks: Mapping[str, str]) -> list[Group]:
    """Return the files of a report in groups; ``notebooks``: the title of each page."""
    there = set(names)
    about: dict[str, dict[Sequence[str], str]] = {
        "Notebooks, executed": {(name,): title for name, title in notebooks.items()},
        "Figures": {(f"{name}.png", f"{name}.svg"): sentence for name, sentence in report.FIGURES.items()},
        "Tables": {(name,): sentence for name, sentence in report.TABLES.items()},
    }
    groups = [(heading, [one for one in lines.items() if there.issuperset(one[0])]) for heading, lines in about.items()]
    return [group for group in groups if group[1]]


def _listed(number: int, group: Group) -> str:
    heading, lines = group
    links = ((", ".join(_link(quote(name), name) for name in names), sentence) for names, sentence in lines)
    items = "\n".join(f"<li>{names}: {escape(sentence)}</li>" for names, sentence in links)
    return f'<h2 id="files{number}">{escape(heading)}</h2>\n<ul>\n{items}\n</ul>'


def _link(to: str, text: str) -> str:
    return f'<a href="{escape(to)}">{escape(text)}</a>'


def failing(explored: Explored, label: str) -> list[Cell]:
    """Return the cells of one variant that fail, the shortest trace first."""
    cells = (cell for cell in explored.cells if str(cell.label()) == label and cell.verdict == "FAILS")
    return sorted(cells, key=lambda cell: (cell.steps or 0, FAILURES[cell.property].title))
