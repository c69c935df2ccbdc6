"""What happens to a guest: one small file for each lifecycle event."""

from workbench.core.errors import WorkbenchError
from workbench.lifecycle.boot import Boot
from workbench.lifecycle.event import Event
from workbench.lifecycle.kexec import Kexec, KexecWithoutTeardown
from workbench.lifecycle.migrate import Migrate, MigrateToOldHost, MigrateWithoutState

EVENTS: dict[str, Event] = {
    event.name: event
    for event in (
        Boot(),
        Kexec(),
        KexecWithoutTeardown(),
        Migrate(),
        MigrateWithoutState(),
        MigrateToOldHost(),
    )
}


def choose(names: "list[str] | None" = None) -> tuple[Event, ...]:
    """Return the named events in the order of this file (all when None); raise WorkbenchError if unknown."""
    if names is None:
        return tuple(EVENTS.values())
    unknown = [name for name in names if name not in EVENTS]
    if unknown or not names:
        wrong = f"unknown event {unknown[0]!r}" if unknown else "no event named"
        raise WorkbenchError(f"{wrong}; known: {', '.join(EVENTS)}")
    return tuple(event for name, event in EVENTS.items() if name in names)
