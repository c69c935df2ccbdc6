"""Effect and price of mitigations: the matrix cells that change, and the exits, state and guest memory they cost.

The price is measured by the simulator at the size at which designs are compared (64 vCPUs, every feature), because at
the explorer's sizes all costs are small. Effect and price never share a column.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from workbench.errors import unknown
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import measured
from workbench.measure.exploration.cells import Cell, is_unfinished
from workbench.measure.variants import Variant, features_of

VCPUS = 64


class Price(NamedTuple):
    """What one variant costs at 64 vCPUs with every feature."""

    boot_exits: int
    kexec_exits: int
    state_bytes: int  #: in a migration stream, after boot
    uncarried: int  #: state entries that a migration loses, because no interface carries them
    guest_bytes: int  #: descriptors and areas


class Change(NamedTuple):
    """A cell whose verdict with a mitigation differs from the one without."""

    event: str
    property: str
    before: str
    after: str


@dataclass(frozen=True)
class Effect:
    """The effect of one or several mitigations: changed cells of the matrix, and the price before and after."""

    variant: Variant
    changes: tuple[Change, ...]
    before: Price
    after: Price


def price(variant: Variant, vcpus: int = VCPUS) -> Price:
    """Return the price of a variant, measured with the simulator."""
    features = features_of(variant)
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
    """Return the cells of ``after`` whose verdict differs from that of ``before``; unfinished ones are left out."""
    known = {(cell.event, cell.property): cell.verdict for cell in before if not is_unfinished(cell)}
    return tuple(
        Change(cell.event, cell.property, known[cell.event, cell.property], cell.verdict)
        for cell in after
        if not is_unfinished(cell)
        and known.get((cell.event, cell.property), cell.verdict) != cell.verdict
    )


def effect(variant: Variant, before: Iterable[Cell], after: Iterable[Cell]) -> Effect:
    """Return the effect of the mitigations of ``variant``; ``before``: the cells of the protocol without them."""
    return Effect(variant, changes(before, after), price(Variant.of(variant.kind)), price(variant))


def left_out(variant: Variant) -> dict[str, Variant]:
    """Return ``variant`` without each one of its mitigations in turn; failures that return were fixed by that one."""
    return {
        name: Variant.of(variant.kind, (other for other in variant.mitigations if other != name))
        for name in variant.mitigations
    }


def mitigated(variants: Sequence[Variant], names: Sequence[str]) -> list[Variant]:
    """Return each variant with those of the mitigations that its protocol has ("all": every one it has).

    Raises WorkbenchError for a name that no protocol has.
    """
    known = {name for variant in variants for name in variant.kind.mitigations_known}
    wrong = [name for name in names if name != "all" and name not in known]
    if wrong:
        raise unknown("mitigation", wrong[0], ["all", *sorted(known)])
    found = []
    for variant in variants:
        own = tuple(name for name in variant.kind.mitigations_known if "all" in names or name in names)
        if own:
            found.append(Variant.of(variant.kind, own))
    return found
