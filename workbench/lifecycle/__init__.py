"""The lifecycle events, which happen to a guest, in small files.

Every named ``Event`` class in a file of this folder is in EVENTS; it need not be listed anywhere else. An event in a
file elsewhere is given by its path, and several that happen one after the other are joined: ``init+migrate``.
"""

from collections.abc import Iterable
from contextlib import suppress
from itertools import product

from workbench.core import own_files
from workbench.core.catalogue import ALL, Catalogue, by_key, classes_in, modules_of
from workbench.core.contracts.complete import check_event
from workbench.core.contracts.event import Event
from workbench.core.own_files import Sort
from workbench.errors import WorkbenchError
from workbench.lifecycle.composed import SEPARATOR, Composed, composed
from workbench.lifecycle.under_vmm import SEPARATOR as AT
from workbench.lifecycle.under_vmm import under, vmm_named

#: The files whose events come first in tables, in this order; all others follow in order of file names.
_FIRST = (
    "boot", "hotplug", "kexec", "crash", "init", "suspend", "migrate", "migrate_altered", "old_host", "memslots",
    "double", "overlap", "descriptor_race", "hostile", "i386", "encrypted", "controls",
)  # fmt: skip

EVENTS: dict[str, Event] = by_key(
    (kind() for module in modules_of(__name__, __path__, _FIRST) for kind in classes_in(module, Event)),
    lambda event: event.name,
)

CATALOGUE = Catalogue(Sort("event", Event), EVENTS, check_event)

__all__ = ["CATALOGUE", "EVENTS", "Composed", "choose", "choose_one", "composed", "is_open", "under_vmms"]


def choose(names: Iterable[str | Event] | None = None) -> tuple[Event, ...]:
    """Return the named events in the order of EVENTS, then those from files and the joined ones as named.

    None and "all" stand for all that ship, also in a joined one: "all+migrate" is each of them before a migration, and
    "all+all" are all ordered pairs. Raises WorkbenchError for an unknown name, a file that has no such event, or two
    different events of the same name.
    """
    if names is None:
        return CATALOGUE.several(None)
    return CATALOGUE.several([one for name in names for one in (_named(name) if isinstance(name, str) else (name,))])


def choose_one(name: str | Event) -> Event:
    """Return the named event; raise WorkbenchError if there is none, and if the name stands for several."""
    return CATALOGUE.single(name, choose([name]))


def is_open(name: str) -> bool:
    """Tell whether a name stands for several events: ``all``, or a joined one in which ``all`` is a part."""
    return ALL in own_files.split(name, SEPARATOR)


def under_vmms(names: Iterable[str] | None, vmms: Iterable[str]) -> list[str]:
    """Return the names of these events, each that restores a machine once for each of ``vmms``; None: all such events.

    Raises WorkbenchError for an unknown VMM or event, and if no event restores a machine.
    """
    wanted = [vmm_named(vmm).name for vmm in vmms]
    restoring = [event.name for event in EVENTS.values() if event.restores]
    found = [one for name in (restoring if names is None else names) for one in _under_each(name, wanted)]
    if not any(AT in name for name in found):
        raise WorkbenchError("--vmm: no machine is restored in these events; it is in those", restoring)
    return found


def _under_each(name: str, vmms: list[str]) -> list[str]:
    """Return the name of an event, or of a joined one, under each VMM; unchanged if nothing is restored in it."""
    parts = own_files.split(name, SEPARATOR)
    if ALL in parts:
        raise WorkbenchError(f"--vmm: name the events; {name!r} stands for several")
    restores = [AT not in part and _found(part).restores for part in parts]
    if not any(restores):
        return [name]
    return [
        SEPARATOR.join(f"{part}{AT}{vmm}" if own else part for part, own in zip(parts, restores, strict=True))
        for vmm in vmms
    ]


def _named(text: str) -> list[Event]:
    """Return the events that a text names: one, or all possible ones if ``all`` is among its parts."""
    parts = own_files.split(text, SEPARATOR)
    if "" in parts and len(parts) > 1:
        raise WorkbenchError(f"event {text!r} has an empty part; a name is expected on both sides of {SEPARATOR}")
    choices = [list(EVENTS.values()) if part == ALL else [_found(part)] for part in parts]
    if ALL not in parts:
        return [composed([event for (event,) in choices])]
    found = []
    for chosen in product(*choices):
        with suppress(WorkbenchError):  # what cannot happen is no event
            found.append(composed(chosen))
    return found


def _found(part: str) -> Event:
    """Return the event that a part of a name means: by name or path, and under the VMM that it names (``@qemu``)."""
    name, at, vmm = part.rpartition(AT)
    if not at or own_files.names_file(vmm):
        return CATALOGUE.find(part)
    event = CATALOGUE.find(name)
    found = under(event, vmm_named(vmm))
    own_files.remember(found, part, f"{own_files.named_anywhere(event)}{AT}{vmm}")
    return found
