"""The keys of the host's state, which is a flat table of entries, each named by a key.

All keys are built here, so that measurements can distinguish registration state (which a migration must
carry) from mappings that the host derives from it, and engines can read both.

* ``area(cpu, feature)``: the gpa the host writes to *now*. Derived: a cached translation.
* ``register(cpu, msr)``: the value of a register, as RDMSR returns it.
* ``registry(cpu, type)``: one entry of a generic registry.
* ``pending(cpu, feature)``: an update to be delivered when the vCPU next enters the guest.
* ``baseline(cpu, feature)``: the start of a running count on this host; another host starts a new count.
* ``staged(cpu, feature)``: an area that the vCPU's next entry maps; a restore stages it again.
* ``stop_news(cpu, feature)``: the VMM said that the guest was stopped; the next update of the payload tells it. Another
  host must be told again.
* ``returning(cpu, feature)``: an address that is not served, and is served again once the memslots change.
* ``cached(cpu, feature)``: the last address that a cache of addresses took, also while no register enables it.
* ``old_clock()``: the boot vCPU wrote its clock's old register, so no clock of the VM is offered as stable. Another
  host does not know it.

``cpu`` is the vCPU's index, or :data:`VM` for state of the whole machine.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

#: Used in place of a vCPU index for VM-wide state.
VM = -1

DERIVED = frozenset({"area", "pending", "baseline", "staged", "stop news", "returning", "cached", "old clock"})


class Key(NamedTuple):
    """The name of one entry: its kind, the vCPU it belongs to (or VM), and its name within that kind."""

    kind: str
    cpu: int
    name: int | str


#: Makes a Key of a tuple of its parts. Calling Key itself takes twice as long, and most steps of a host have a key.
_key: Callable[[tuple[str, int, int | str]], Key] = partial(tuple.__new__, Key)


def area(cpu: int, feature: str) -> Key:
    """The address to which the host currently writes the payload of ``feature`` (value: gpa)."""
    return _key(("area", cpu, feature))


def register(cpu: int, msr: int) -> Key:
    """The value of one model specific register (value: u64)."""
    return _key(("register", cpu, msr))


def registry(cpu: int, kind: int | str) -> Key:
    """One entry of a generic registry (value: defined by the protocol)."""
    return _key(("registry", cpu, kind))


def pending(cpu: int, feature: str) -> Key:
    """A payload update that waits for the vCPU's next entry (value: True)."""
    return _key(("pending", cpu, feature))


def baseline(cpu: int, feature: str) -> Key:
    """The value of a running count when it was last added to the payload (value: int)."""
    return _key(("baseline", cpu, feature))


def staged(cpu: int, feature: str) -> Key:
    """A registration that the vCPU's next entry applies (value: True)."""
    return _key(("staged", cpu, feature))


def stop_news(cpu: int, feature: str) -> Key:
    """The guest was stopped, and the next update of the payload of ``feature`` tells it (value: True)."""
    return _key(("stop news", cpu, feature))


def returning(cpu: int, feature: str) -> Key:
    """The address of ``feature`` that is served again once the memslots change (value: gpa)."""
    return _key(("returning", cpu, feature))


def cached(cpu: int, feature: str) -> Key:
    """The last address of ``feature`` that a cache of addresses took, enabled or not (value: gpa)."""
    return _key(("cached", cpu, feature))


def old_clock() -> Key:
    """The boot vCPU wrote its clock's old register, so no clock of the VM is offered as stable (value: True)."""
    return _key(("old clock", VM, "kvmclock"))
