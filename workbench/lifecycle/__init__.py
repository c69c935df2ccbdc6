"""The lifecycle events, which happen to a guest, in small files.

Every named ``Event`` class in a file of this folder is in EVENTS; it need not be listed anywhere else.
"""

from workbench.core.catalogue import by_key, classes_in, modules_of
from workbench.core.contracts.event import Event
from workbench.errors import WorkbenchError

#: The files whose events come first in tables, in this order; all others follow in order of file names.
_FIRST = (
    "boot", "hotplug", "kexec", "crash", "init", "suspend", "migrate", "migrate_altered", "old_host", "memslots",
    "double", "overlap", "descriptor_race", "hostile", "i386", "encrypted", "controls",
)  # fmt: skip

EVENTS: dict[str, Event] = by_key(
    (kind() for module in modules_of(__name__, __path__, _FIRST) for kind in classes_in(module, Event)),
    lambda event: event.name,
)


def choose(names: "list[str] | None" = None) -> tuple[Event, ...]:
    """Return the named events in the order of EVENTS (all when None); raise WorkbenchError if unknown."""
    if names is None:
        return tuple(EVENTS.values())
    unknown = [name for name in names if name not in EVENTS]
    if unknown or not names:
        wrong = f"unknown event {unknown[0]!r}" if unknown else "no event named"
        raise WorkbenchError(f"{wrong}; known: {', '.join(EVENTS)}")
    return tuple(event for name, event in EVENTS.items() if name in names)
