"""Every metric: its name, its unit, what it means, and how it is read from a run.

Units are exits, VM entries, accesses, updates, areas, entries, bytes, pages and words. Costs need a model and are in
``workbench.measure.comparison.cost``.

Every number is counted in a run. Some depend on how often the run updates payloads (``by_updates``): what such a number
says about a real host depends on the features (``Feature.counted``), and is said where the number stands.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, NamedTuple

from workbench.core.contracts import StateEntry
from workbench.core.outcome import Fate
from workbench.core.updates import made
from workbench.errors import unknown

if TYPE_CHECKING:
    from workbench.measure.comparison.runs import Measured


class Metric(NamedTuple):
    """A metric; ``read`` returns its value for a run."""

    name: str
    unit: str
    title: str
    read: Callable[[Measured], int | str]
    by_updates: bool = False  #: it depends on how often the run updates payloads


def _count(name: str, unit: str, title: str, *, by_updates: bool = False) -> Metric:
    return Metric(name, unit, title, lambda run: run.counts[name], by_updates)


def _fate(fate: Fate) -> Metric:
    return Metric(f"areas_{fate.value}", "areas", f"areas that are {fate.value}", lambda run: run.fates[fate])


def _bytes(name: str, title: str, read: Callable[[Measured], int]) -> Metric:
    return Metric(name, "bytes", title, read)


def is_new(entry: StateEntry) -> bool:
    """Tell whether no existing interface carries this entry."""
    return entry.interface == "none" or entry.interface.startswith("new ")


def _wire(run: Measured, keep: Callable[[StateEntry], bool] = lambda entry: True) -> int:
    return sum(entry.wire_bytes for entry in run.state if keep(entry))


EXITS = (
    _count("exits", "exits", "the vCPU left the guest"),
    _count("wrmsr_exits", "exits", "for a WRMSR"),
    _count("rdmsr_exits", "exits", "for an RDMSR"),
    _count("hypercall_exits", "exits", "for a hypercall"),
    _count("mmio_exits", "exits", "for an access to a device, or to no memory"),
    _count("pio_exits", "exits", "for an access to an I/O port"),
    _count("kernel_exits", "exits", "handled by KVM"),
    _count("user_exits", "exits", "handled by the VMM"),
)
ACCESSES = (
    _count("guest_loads", "accesses", "guest reads guest memory"),
    _count("guest_stores", "accesses", "guest writes guest memory"),
    _count("host_loads", "accesses", "host reads guest memory", by_updates=True),
    _count("host_stores", "accesses", "host writes guest memory", by_updates=True),
    _count("vm_entries", "VM entries", "a vCPU enters the guest"),
    Metric(
        "payload_updates", "updates", "the host updates a payload", lambda run: sum(made(run.counts).values()), True
    ),
)
FATES = (
    Metric("fate", "word", "the worst that became of any area", lambda run: run.fate.value),
    Metric("areas", "areas", "areas in force", lambda run: run.fates[Fate.REGISTERED]),
    *(_fate(fate) for fate in Fate),
    Metric("stray_writes", "accesses", "host writes to others' memory", lambda run: run.stray_writes, True),
)
STATE = (
    Metric("state_entries", "entries", "things the host must carry", lambda run: len(run.state)),
    _bytes("state_bytes", "on the wire", _wire),
    _bytes(
        "state_entry_bytes",
        "in the interface that reads them",
        lambda run: sum(e.entry_bytes for e in run.state),
    ),
    Metric(
        "state_interfaces",
        "interfaces",
        "existing interfaces that carry it",
        lambda run: len({entry.interface for entry in run.state if not is_new(entry)}),
    ),
    Metric(
        "state_new_interfaces",
        "interfaces",
        "interfaces that must be made",
        lambda run: len({entry.interface for entry in run.state if is_new(entry)}),
    ),
    _bytes(
        "state_unarchitected_bytes",
        "what no architected register shows",
        lambda run: _wire(run, lambda e: not e.architected),
    ),
    _bytes("state_carried_bytes", "what a migration carries", lambda run: _wire(run, lambda e: e.carried)),
)
GUEST_MEMORY = (
    _bytes("guest_memory_bytes", "descriptors, payloads and padding", lambda run: sum(run.guest_memory[:3])),
    _bytes("descriptor_bytes", "descriptors", lambda run: run.guest_memory.descriptors),
    _bytes("payload_bytes", "areas", lambda run: run.guest_memory.payloads),
    _bytes("padding_bytes", "lost to alignment", lambda run: run.guest_memory.padding),
    Metric(
        "shared_pages",
        "pages",
        "an encrypted guest must share",
        lambda run: run.guest_memory.shared_pages,
    ),
    Metric("dirty_pages_logged", "pages", "dirty in KVM's log, boot included", lambda run: run.dirty_logged, True),
    Metric("dirty_pages_unlogged", "pages", "written by the VMM, not logged", lambda run: run.dirty_unlogged, True),
)
#: What a dirty log does not show, under the events that send memory in rounds (property F28, missed-dirty-page).
MIGRATION = (
    Metric("missed_dirty_pages", "pages", "written, and old on the destination", lambda run: run.missed.pages, True),
    Metric("missed_dirty_bytes", "bytes", "that are old on the destination", lambda run: run.missed.bytes, True),
)
GROUPS = {
    "exits": EXITS,
    "accesses": ACCESSES,
    "areas": FATES,
    "state": STATE,
    "guest memory": GUEST_MEMORY,
    "migration": MIGRATION,
}
METRICS = {metric.name: metric for group in GROUPS.values() for metric in group}
COST = "cost_cycles"


def choose(names: Iterable[str] | None = None) -> tuple[Metric, ...]:
    """Return the named metrics (all when None) in the order of this file; raise WorkbenchError if unknown."""
    if names is None:
        return tuple(METRICS.values())
    wanted = list(names)
    for name in wanted:
        if name not in METRICS and name != COST:
            raise unknown("metric", name, (*METRICS, COST))
    return tuple(metric for name, metric in METRICS.items() if name in wanted)
