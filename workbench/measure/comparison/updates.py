"""How often the host updates each payload in a run, and what that number says about the host that serves it in reality.

The number is counted, not computed from a rate: one for each update of which a byte arrived in guest memory. A run
enters each vCPU where its event says so, and updates then; a real guest that lives longer has more of both. So no rate
follows from it, and the comparison with a real host is for as many entries, requests and events (``Feature.counted``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, get_args

from workbench.core.contracts import Bound, Feature
from workbench.core.contracts.event import Event
from workbench.core.updates import made
from workbench.measure.variants import Variant, features_of

if TYPE_CHECKING:
    import pandas

#: What a count can be for the real host's, in the order in which it is told.
KINDS = (*get_args(Bound), "not said")


class UpdateRow(NamedTuple):
    """The updates of one payload in one simulated run."""

    protocol: str
    event: str
    feature: str
    update_when: str  #: on what occasion a run updates it (``Feature.update_when``)
    updates: int  #: counted in the run
    count_is: str  #: what this number is for the real host's updates (``Feature.count_is``)
    why: str  #: what the real host does
    source: str


def update_rows(
    variant: Variant, features: tuple[Feature, ...], vcpus: int, event: Event, seed: int = 0
) -> list[UpdateRow]:
    """Return a row for each feature whose payload a host updates; it is simulated, and the event alone is counted."""
    from workbench.measure.comparison.runs import measured  # the simulator: who lists kinds does not need it

    found = made(measured(variant, features, vcpus, event, seed).counts)
    return [
        UpdateRow(
            variant.label, event.name, one.name, one.update_when, found.get(one.name, 0), one.count_is, *_told(one)
        )
        for one in features
        if one.update_when != "never"
    ]


def _told(feature: Feature) -> tuple[str, str]:
    return ("", "") if feature.counted is None else (feature.counted.why, feature.counted.source)


def payload_updates(
    variants: Iterable[Variant],
    features: Sequence[str | Feature] | None,
    vcpus: int,
    event: Event,
    seed: int = 0,
) -> pandas.DataFrame:
    """Return the updates of each payload in a run of ``event``, for each design (columns of UpdateRow).

    No features named (None): each design with those of its own ABI, if it has one.
    """
    import pandas

    rows = [row for one in variants for row in update_rows(one, features_of(one, features), vcpus, event, seed)]
    return pandas.DataFrame(rows, columns=list(UpdateRow._fields))


def by_kind(features: Iterable[Feature]) -> dict[str, list[str]]:
    """Return the names of the features of which a count is exact, an upper bound, ..., in the order of KINDS."""
    names = [(one.count_is, one.name) for one in features]
    return {kind: [name for said, name in names if said == kind] for kind in KINDS if kind in dict(names)}
