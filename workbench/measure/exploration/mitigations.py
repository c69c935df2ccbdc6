"""What a mitigation buys and what it costs: cells of the matrix that change, beside exits, state and guest memory.

The price is measured by the simulator at the size at which designs are compared (64 vCPUs, every feature), because at
the explorer's sizes everything is small. Bought and paid never share a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workbench.errors import WorkbenchError
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import measured
from workbench.measure.exploration.matrix import Cell
from workbench.measure.variants import Variant

VCPUS = 64


class Price(NamedTuple):
    """What one variant costs at 64 vCPUs with every feature."""

    boot_exits: int
    kexec_exits: int
    state_bytes: int  #: in a migration stream, after boot
    uncarried: int  #: state entries that no interface carries, so that a migration loses them
    guest_bytes: int  #: descriptors and areas


class Change(NamedTuple):
    """A cell that has another verdict with a mitigation than without."""

    event: str
    property: str
    before: str
    after: str


@dataclass(frozen=True)
class Effect:
    """One mitigation, or several together: what changed in the matrix, and the price before and after."""

    variant: Variant
    changes: tuple[Change, ...]
    before: Price
    after: Price


def price(variant: Variant, vcpus: int = VCPUS) -> Price:
    """Measure a variant with the simulator."""
    features = tuple(FEATURES.values())
    boot, kexec = (measured(variant, features, vcpus, EVENTS[name]) for name in ("boot", "kexec"))
    use = boot.guest_memory
    return Price(
        boot.counts["exits"],
        kexec.counts["exits"],
        sum(entry.wire_bytes for entry in boot.state),
        sum(not entry.carried for entry in boot.state),
        use.descriptors + use.payloads + use.padding,
    )


def changes(before: Iterable[Cell], after: Iterable[Cell]) -> tuple[Change, ...]:
    """Return the cells of ``after`` whose verdict differs from that of ``before``."""
    known = {(cell.event, cell.property): cell.verdict for cell in before}
    return tuple(
        Change(cell.event, cell.property, known[cell.event, cell.property], cell.verdict)
        for cell in after
        if known.get((cell.event, cell.property), cell.verdict) != cell.verdict
    )


def effect(variant: Variant, before: Iterable[Cell], after: Iterable[Cell]) -> Effect:
    """Return what the mitigations of ``variant`` do; ``before`` are the cells of the same protocol without them."""
    return Effect(variant, changes(before, after), price(Variant.of(variant.kind)), price(variant))


def left_out(variant: Variant) -> dict[str, Variant]:
    """Return, for each mitigation of ``variant``, the same variant without this one: what comes back, it had cured."""
    return {
        name: Variant.of(variant.kind, (other for other in variant.mitigations if other != name))
        for name in variant.mitigations
    }


def mitigated(variants: Sequence[Variant], names: Sequence[str]) -> list[Variant]:
    """Return each variant with those of the mitigations that its protocol knows ("all": every one it knows).

    Raises WorkbenchError for a name that none of the protocols knows.
    """
    known = {name for variant in variants for name in variant.kind.mitigations_known}
    wrong = [name for name in names if name != "all" and name not in known]
    if wrong:
        raise WorkbenchError(f"unknown mitigation {wrong[0]!r}; known: all, {', '.join(sorted(known)) or 'none'}")
    found = []
    for variant in variants:
        own = tuple(name for name in variant.kind.mitigations_known if "all" in names or name in names)
        if own:
            found.append(Variant.of(variant.kind, own))
    return found
