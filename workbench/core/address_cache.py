"""How KVM keeps the address of an area: in a cache beside the register, and what becomes of it when memslots change.

Two caches translate the addresses of KVM's areas, and both look again once the generation of the memslots has changed:

* ``gfn_to_hva_cache`` (Linux 6.12 virt/kvm/kvm_main.c, __kvm_gfn_to_hva_cache_init): an address is looked up before it
  is kept. If there is no writable memory, the old address stays and its translation is an error; after the next change
  of any memslot it is looked up again, at the old address. Asynchronous page faults and PV EOI.
  Before 5.6 (6ad1e29fe0ab) the refused address was kept; that is read in the source, not measured.
* ``gfn_to_pfn_cache`` (virt/kvm/pfncache.c, __kvm_gpc_refresh): the address is kept first, and refused only if the area
  does not fit into a page. kvmclock. Nothing is written until the next update of the clock.

record_steal_time keeps a ``gfn_to_hva_cache`` too, but compares its address with the register's, and looks it up at
every update while there is an error; so it behaves as if there was no cache.

The programs below are the first of these. What a deleted, recreated, moved or read-only memslot does to an address that
was accepted needs no entry: an address in use is looked up at each access, as after every change of the generation.
"""

from collections.abc import Callable, Iterable
from typing import Any

from workbench.core.host_state import Key, area, cached, returning
from workbench.core.steps import Backed, Get, Program, Set


def point(owner: int, feature: str, gpa: int, size: int, *, kept: bool = False) -> Program:
    """Host: serve ``feature`` at ``gpa`` if [gpa, gpa + size) is writable memory; return whether it is.

    If it is not, nothing is served, and the address before is served again once the memslots change. ``kept``: the
    register has already taken the value, and so enables any address that the cache had, of whatever time.
    """
    served = area(owner, feature)
    if (yield Backed(gpa, size)):
        if kept:
            yield Set(cached(owner, feature), gpa)
        yield Set(served, gpa)
        return True
    before = yield Get(cached(owner, feature) if kept else served)
    if before is not None:
        yield Set(served, None)
        yield Set(returning(owner, feature), before)
    return False


def release(owner: int, feature: str) -> Program:
    """Host: serve ``feature`` no longer, because its register does not enable it."""
    yield Set(area(owner, feature), None)
    yield Set(returning(owner, feature), None)


def memslots_changed(
    names: Iterable[Any], get: Callable[[Key], Any], put: Callable[[Key, Any], None]
) -> None:
    """Apply a change of the memslots to the host's entries: addresses that wait for it are served again.

    ``names`` may hold the names of other things. A later registration that was accepted has replaced the address.
    """
    for name in list(names):
        if not isinstance(name, Key) or name.kind != returning(0, "").kind:
            continue
        gpa = get(name)
        if gpa is None:
            continue
        put(name, None)
        served = area(name.cpu, str(name.name))
        if get(served) is None:
            put(served, gpa)
