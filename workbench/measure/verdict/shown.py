"""What all rows of a page together show: sentences whose numbers are counted in its cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from workbench.measure.likeness.checklist import NO
from workbench.measure.verdict.asked import Asked, Cell
from workbench.measure.verdict.page import Page

_REQUEST = "request in a register"


def sentences(page: Page) -> list[str]:
    """Return what the page shows by itself; a sentence about nothing is left out."""
    asks = (_exits, _generic, _descriptor, _kexec, _unaided, _crash, _hosts_choice)
    return [text for ask in asks if (text := ask(page))]


def _labels(page: Page, column: str, wanted: Callable[[Cell], bool]) -> list[str]:
    return [label for label, cells in page.cells.items() if wanted(cells[column])]


def _registering(page: Page) -> Iterator[tuple[str, Asked]]:
    for label, asked in page.asked.items():
        if page.cells[label]["per area"].rank is not None:
            yield label, asked


def _exits(page: Page) -> str:
    known = [label for label, _ in _registering(page)]
    if len(known) < 2:
        return ""
    near = _labels(page, "per area", lambda cell: cell.rank is not None and 0.75 <= cell.rank <= 1.25)
    verb = "cannot decide" if 2 * len(near) > len(known) else "differ"
    return f"Exits {verb}: {len(near)} of {len(known)} designs take 0.75 to 1.25 exits for each area."


def _generic(page: Page) -> str:
    one_call = _labels(page, "one more", lambda cell: cell.text == "a number")
    if not one_call:
        return ""
    typed = [label for label in one_call if page.cells[label]["invent"].rank == 0]
    rest = [label for label in one_call if label not in typed]
    more = f"; no interface carries the state of {', '.join(rest)}" if rest else ""
    return (
        f"A generic guest ABI with typed interfaces for the VMM: {len(typed)} of {len(one_call)} designs with one call "
        f"for all features need no new interface for a migration{more}."
    )


def _descriptor(page: Page) -> str:
    read = [label for label, asked in page.asked.items() if asked.likeness[_REQUEST].word == NO]
    others = [label for label, _ in _registering(page) if label not in read]
    if not read or not others:
        return ""
    calls = [label for label in others if page.cells[label]["one more"].text == "a number"]
    return (
        "The request in memory, not the one call, is unlike hardware: with it "
        f"{_share(page, read)} of the points of the checklist are met, without it {_share(page, others)}"
        + (f", and in designs with one call and no request in memory {_share(page, calls)}" if calls else "")
        + "."
    )


def _share(page: Page, labels: list[str]) -> str:
    met = [-(page.cells[label]["hardware"].rank or 0) for label in labels]
    return f"{100 * sum(met) / len(met):.0f} %"


def _left(page: Page, column: str, what: str) -> str:
    asked = [label for label, _ in _registering(page) if page.cells[label][column].rank is not None]
    fails = _labels(page, column, lambda cell: cell.text == "fails")
    if not asked:
        return ""
    named = f": {', '.join(fails)}" if fails else ""
    return f"After a {what}, {len(fails)} of {len(asked)} designs leave something behind{named}."


def _kexec(page: Page) -> str:
    return _left(page, "kexec-safe", "kexec")


def _unaided(page: Page) -> str:
    return _left(page, "unaided", "kexec in which the old kernel revokes nothing")


def _crash(page: Page) -> str:
    return _left(page, "crash-safe", "crash")


def _hosts_choice(page: Page) -> str:
    hosts = [label for label, asked in _registering(page) if asked.variant.kind.places_areas]
    if not hosts:
        return ""
    without = [label for label in hosts if page.cells[label]["state"].rank == 0]
    return f"Where the host chooses the memory, {len(without)} of {len(hosts)} designs keep no registration state."
