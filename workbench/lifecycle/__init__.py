"""The lifecycle events, which happen to a guest, in small files.

Every named ``Event`` class in a file of this folder is in EVENTS; it need not be listed anywhere else. An event in a
file elsewhere is given by its path.
"""

from collections.abc import Iterable

from workbench.core.catalogue import Catalogue, by_key, classes_in, modules_of
from workbench.core.contracts.complete import check_event
from workbench.core.contracts.event import Event
from workbench.core.own_files import Sort

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


def choose(names: Iterable[str | Event] | None = None) -> tuple[Event, ...]:
    """Return the named events in the order of EVENTS, then those from files as named; None, "all": all that ship.

    Raises WorkbenchError for an unknown name, a file that has no such event, or two events of the same name.
    """
    return CATALOGUE.several(names)
