"""The state that a host must carry in a migration, entry by entry, and the hidden state besides it.

The entries are those of the machine's host after the event. The ledger of hidden state lists what Linux keeps
besides the registers' values, and how upstream avoids migrating it. Each feature's file declares it; it is read from
the kernel's source, not measured, and each line names the place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple, get_args

from workbench.core.contracts import Feature, StateEntry, Update
from workbench.core.contracts.event import Event
from workbench.core.host_state import VM
from workbench.measure.comparison.runs import WithValues, measured
from workbench.measure.variants import Variant, features_of

if TYPE_CHECKING:
    import pandas


class EntryRow(NamedTuple):
    """One entry of a host's state; sizes in bytes."""

    protocol: str
    event: str
    owner: str  #: "VM" or "vcpu N"
    name: str
    bytes: int  #: in the interface that reads and writes it
    wire: int  #: in the VMM's migration stream
    interface: str
    architected: bool  #: a register that the guest can read shows it
    carried: bool  #: a migration carries it, with the interfaces that exist


class EntryKind(NamedTuple):
    """Entries of one name, of all owners together; sizes in bytes are for one entry."""

    scope: str  #: "VM" or "each vCPU"
    name: str
    bytes: int
    wire: int
    interface: str
    architected: bool
    carried: bool
    copies: int


class HiddenRow(NamedTuple):
    """State that Linux keeps besides the register of a feature."""

    feature: str
    state: str
    avoided: str  #: how a migration does without it
    source: str


def hidden_rows(features: Iterable[Feature]) -> list[HiddenRow]:
    """Return the hidden state of ``features``; features whose payload the host writes most often come first."""
    often = sorted(features, key=lambda feature: get_args(Update).index(feature.update_when))
    return [HiddenRow(feature.name, *feature.hidden) for feature in often if feature.hidden is not None]


def ledger(features: Iterable[Feature]) -> pandas.DataFrame:
    """Return the hidden state of ``features`` (columns feature, state, avoided, source), read and not measured."""
    import pandas

    return pandas.DataFrame(hidden_rows(features), columns=list(HiddenRow._fields))


def state_of_run(
    variant: Variant,
    features: tuple[Feature, ...],
    vcpus: int,
    event: Event,
    seed: int = 0,
    *,
    values: bool = False,
) -> tuple[StateEntry, ...]:
    """Return the entries after ``event``; with ``values`` also those of features that are no part of boot."""
    if values:
        return measured(variant, features, vcpus, _with_values(event), seed).state
    return measured(variant, features, vcpus, event, seed).state


_WITH_VALUES: dict[Event, WithValues] = {}


def _with_values(event: Event) -> WithValues:
    # One object for each event, so that the cache of runs recognises it.
    return _WITH_VALUES.setdefault(event, WithValues(event))


def state_entries(
    variants: Iterable[Variant],
    features: Sequence[str | Feature] | None,
    vcpus: int,
    event: Event,
    seed: int = 0,
    *,
    values: bool = False,
) -> pandas.DataFrame:
    """Return every entry of every protocol's state after ``event``, one row each (columns of EntryRow).

    No features named (None): each design with those of its own ABI, if it has one.
    """
    import pandas

    rows = [
        EntryRow(variant.label, event.name, "VM" if entry.cpu == VM else f"vcpu {entry.cpu}", *entry[1:])
        for variant in variants
        for entry in state_of_run(variant, features_of(variant, features), vcpus, event, seed, values=values)
    ]
    return pandas.DataFrame(rows, columns=list(EntryRow._fields))


def entry_kinds(entries: Iterable[StateEntry]) -> list[EntryKind]:
    """Group entries that differ only in the vCPU, with their count, in order of appearance."""
    kinds: dict[tuple[str, StateEntry], EntryKind] = {}
    for entry in entries:
        scope = "VM" if entry.cpu == VM else "each vCPU"
        key = (scope, entry._replace(cpu=VM))
        seen = kinds.get(key)
        kinds[key] = (
            EntryKind(scope, *entry[1:], 1) if seen is None else seen._replace(copies=seen.copies + 1)
        )
    return list(kinds.values())
