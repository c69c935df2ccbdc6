"""What the host remembers: a flat table of entries, each named by a key.

The keys are built here and nowhere else, so that measurements can tell registration state (which a
migration must carry) from mappings that the host derives from it, and engines can read both.

* ``area(cpu, feature)``: the gpa the host writes to *now*. Derived: a cached translation.
* ``register(cpu, msr)``: the value of a register, as RDMSR returns it.
* ``registry(cpu, type)``: one entry of a generic registry.
* ``pending(cpu, feature)``: an update to be delivered when the vCPU next enters the guest.
* ``baseline(cpu, feature)``: where a running count began on this host; it begins again on the next.

``cpu`` is the vCPU's index, or :data:`VM` for what belongs to the whole machine.
"""

from typing import NamedTuple

#: Stands where a vCPU index would for VM-wide state.
VM = -1

DERIVED = frozenset({"area", "pending", "baseline"})


class Key(NamedTuple):
    """The name of one entry: its kind, the vCPU it belongs to (or VM), and what it is."""

    kind: str
    cpu: int
    name: int | str


def area(cpu: int, feature: str) -> Key:
    """Where the host writes the payload of ``feature`` at this moment (value: gpa)."""
    return Key("area", cpu, feature)


def register(cpu: int, msr: int) -> Key:
    """The value of one model specific register (value: u64)."""
    return Key("register", cpu, msr)


def registry(cpu: int, kind: int | str) -> Key:
    """One entry of a generic registry (value: whatever the protocol keeps)."""
    return Key("registry", cpu, kind)


def pending(cpu: int, feature: str) -> Key:
    """A payload update that waits for the vCPU's next entry (value: True)."""
    return Key("pending", cpu, feature)


def baseline(cpu: int, feature: str) -> Key:
    """Where a running count stood when it was last added to the payload (value: int)."""
    return Key("baseline", cpu, feature)
