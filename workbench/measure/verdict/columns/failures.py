"""Which failures remain, which of them mitigations take away, and at what price."""

from __future__ import annotations

from collections.abc import Iterable

from workbench.checking.failures import FAILURES
from workbench.engines.explore import BOUNDED, BROKE_OFF, FAILS
from workbench.measure.exploration.cells import Cell as Verdict
from workbench.measure.exploration.mitigations import price
from workbench.measure.variants import Variant
from workbench.measure.verdict.asked import Asked, Cell, Column

_VCPUS = 8
NONE_MODELLED = "it has no mitigation that is modelled"
NOT_EXPLORED = "it was not explored with its mitigations"


def shortest(cells: Iterable[Verdict]) -> dict[str, Verdict]:
    """Return the failing cell with the shortest trace of each property, by its code."""
    found: dict[str, Verdict] = {}
    for cell in cells:
        if cell.verdict == FAILS and (cell.steps or 0) < (found[cell.property].steps or 0 if cell.property in found
                                                          else float("inf")):  # fmt: skip
            found[cell.property] = cell
    return dict(sorted(found.items()))


def told(found: dict[str, Verdict]) -> str:
    """Return names with the lengths of the shortest traces: "stray write 9, double fetch 8"."""
    return ", ".join(f"{FAILURES[code].name} {cell.steps or '-'}" for code, cell in found.items()) or "none"


def unfinished(cells: Iterable[Verdict]) -> str:
    """Return what is said of searches that a limit or a failing program has ended; empty if none was ended so."""
    count = sum(cell.verdict in (BOUNDED, BROKE_OFF) for cell in cells)
    return f"{count} cells are not finished" if count else ""


def _counted(cells: tuple[Verdict, ...], lead: str, command: tuple[str, ...]) -> Cell:
    """Return the number of failures, with a plus sign where a search that was not finished may have more of them."""
    found, more = shortest(cells), unfinished(cells)
    text = f"{len(found)}{'+' if more else ''}"
    return Cell(text, None if more else len(found), f"{lead}{told(found)}{more and f'; {more}'}", command)


def _fails(asked: Asked) -> Cell:
    return _counted(asked.verdicts, "", asked.matrix(*asked.scope.event_pieces()))


def _remains(asked: Asked) -> Cell:
    command = asked.matrix(*asked.scope.event_pieces(), "--mitigations all")
    if not asked.variant.kind.mitigations_known:
        return Cell("-", len(shortest(asked.verdicts)), NONE_MODELLED, command)
    if asked.repaired is None:
        return Cell("-", None, NOT_EXPLORED, command)
    return _counted(asked.repaired, "with every mitigation: ", command)


def _price(asked: Asked) -> Cell:
    command = asked.matrix(*asked.scope.event_pieces(), "--mitigations all")
    known = tuple(asked.variant.kind.mitigations_known)
    if asked.repaired is None or not known:
        return Cell("-", None, NOT_EXPLORED if known else NONE_MODELLED, command)
    without = price(asked.variant, _VCPUS)
    all_on = price(Variant.of(asked.variant.kind, known), _VCPUS)
    exits = all_on.kexec_exits - without.kexec_exits + all_on.boot_exits - without.boot_exits
    seen = (
        f"{len(known)} mitigations at {_VCPUS} vCPUs: {exits:+} exits of boot and kexec, "
        f"{all_on.state_bytes - without.state_bytes:+} bytes of state"
    )
    return Cell(f"{exits:+}" if exits else "0", exits, seen, command)


COLUMNS = (
    Column("fails", "failures that some event brings about", "failures", _fails),
    Column("repaired", "failures that are left with every mitigation", "failures", _remains),
    Column("price", f"exits that all mitigations add to boot and kexec of {_VCPUS} vCPUs", "failures", _price),
)
