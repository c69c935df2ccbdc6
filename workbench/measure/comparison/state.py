"""The state that a host must carry in a migration, entry by entry, and the hidden state beside it.

The entries are the host's after the event, on the host where the machine then is. The ledger of hidden state
is what Linux keeps beside the registers' values, and how upstream avoids migrating it; it is read from the
kernel's source, not measured, and each line says where.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from workbench.core.contracts import Feature, StateEntry
from workbench.core.host_state import VM
from workbench.lifecycle.event import Event
from workbench.measure.comparison.runs import WithValues, measured
from workbench.measure.variants import Variant

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
    """Entries of one name, all owners together; sizes in bytes for one of them."""

    scope: str  #: "VM" or "each vCPU"
    name: str
    bytes: int
    wire: int
    interface: str
    architected: bool
    carried: bool
    copies: int


class Hidden(NamedTuple):
    """State beside a register's value."""

    feature: str
    state: str
    avoided: str  #: how a migration does without it
    source: str


_X86 = "Linux 6.12 arch/x86/kvm/x86.c"
LEDGER = (
    Hidden(
        "steal_time",
        "last count of the run queue (st.last_steal), st.preempted, mapping cache",
        "the count begins anew; the sum lives in guest memory",
        f"{_X86}, record_steal_time",
    ),
    Hidden(
        "kvmclock",
        "clock offset and master clock of the VM, boot_vcpu_runs_old_kvmclock (lost), pending guest-stopped flag",
        "KVM_SET_CLOCK and a device section of the VMM",
        f"{_X86}, kvm_write_system_time, kvm_vm_ioctl_set_clock",
    ),
    Hidden(
        "wall_clock",
        "none (one value of the VM, sent for each vCPU)",
        "written again",
        f"{_X86}, kvm_write_wall_clock",
    ),
    Hidden(
        "async_pf",
        "up to 64 outstanding faults for each vCPU, their hash, an id counter, pageready_pending",
        "enabling queues a wake-all (token 0xffffffff): the guest faults again",
        "Linux 6.12 virt/kvm/async_pf.c, kvm_async_pf_wakeup_all",
    ),
    Hidden(
        "pv_eoi",
        "a pending bit (apic_attention)",
        "computed again: cleared at every exit, set at entry",
        "Linux 6.12 arch/x86/kvm/lapic.c",
    ),
    Hidden("poll_control", "none", "the register is all there is", f"{_X86}, kvm_set_msr_common"),
    Hidden(
        "migration_control",
        "a variable of the VMM",
        "the VMM carries it",
        "Linux Documentation/virt/kvm/x86/msr.rst",
    ),
)


def ledger(features: Iterable[Feature]) -> pandas.DataFrame:
    """Return the hidden state of ``features`` (columns feature, state, avoided, source), read and not measured."""
    import pandas

    names = {feature.name for feature in features}
    return pandas.DataFrame([line for line in LEDGER if line.feature in names], columns=list(Hidden._fields))


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
    # One object for each event, so that the cache of runs knows it again.
    return _WITH_VALUES.setdefault(event, WithValues(event))


def state_entries(
    variants: Iterable[Variant],
    features: tuple[Feature, ...],
    vcpus: int,
    event: Event,
    seed: int = 0,
    *,
    values: bool = False,
) -> pandas.DataFrame:
    """Return every entry of every protocol's state after ``event``, one row each (columns of EntryRow)."""
    import pandas

    rows = [
        EntryRow(variant.label, event.name, "VM" if entry.cpu == VM else f"vcpu {entry.cpu}", *entry[1:])
        for variant in variants
        for entry in state_of_run(variant, features, vcpus, event, seed, values=values)
    ]
    return pandas.DataFrame(rows, columns=list(EntryRow._fields))


def entry_kinds(entries: Iterable[StateEntry]) -> list[EntryKind]:
    """Put entries that differ in nothing but the vCPU together, with their count, in order of appearance."""
    kinds: dict[tuple[str, StateEntry], EntryKind] = {}
    for entry in entries:
        scope = "VM" if entry.cpu == VM else "each vCPU"
        key = (scope, entry._replace(cpu=VM))
        seen = kinds.get(key)
        kinds[key] = (
            EntryKind(scope, *entry[1:], 1) if seen is None else seen._replace(copies=seen.copies + 1)
        )
    return list(kinds.values())
