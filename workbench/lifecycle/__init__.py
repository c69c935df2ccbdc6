"""What happens to a guest: one small file for each lifecycle event."""

from workbench.errors import WorkbenchError
from workbench.lifecycle.boot import Boot
from workbench.lifecycle.controls import AllowMigration, AllowMigrationUnserved, Haltpoll
from workbench.lifecycle.crash import Crash
from workbench.lifecycle.descriptor_race import DescriptorRace
from workbench.lifecycle.double import DoubleRegistration, DoubleRegistrationCrossing, DoubleRegistrationMoved
from workbench.lifecycle.encrypted import Encrypted, EncryptedUnshared
from workbench.lifecycle.event import Event
from workbench.lifecycle.hostile import (
    HostileBadBase,
    HostileEndless,
    HostileHuge,
    HostilePageCrossing,
    HostileSelf,
    HostileSizeZero,
    HostileUnaligned,
    HostileUserMode,
    HostileWrap,
)
from workbench.lifecycle.hotplug import CpuHotplug, CpuUnplug, CpuUnplugWithoutTeardown
from workbench.lifecycle.i386 import I386Edge, I386Guest
from workbench.lifecycle.init import InitAndOnline, InitOnly
from workbench.lifecycle.kexec import Kexec, KexecWithoutTeardown
from workbench.lifecycle.memslots import MemslotReturn, MemslotUnplug
from workbench.lifecycle.migrate import Migrate, MigrateToOldHost, MigrateWithoutState
from workbench.lifecycle.migrate_altered import MigrateDamaged, MigrateReordered, MigrateWrapping
from workbench.lifecycle.old_host import IgnoreMsrs, OldHost
from workbench.lifecycle.overlap import Overlap, OverlapVcpus
from workbench.lifecycle.suspend import SuspendResume

EVENTS: dict[str, Event] = {
    event.name: event
    for event in (
        Boot(),
        CpuHotplug(),
        CpuUnplug(),
        CpuUnplugWithoutTeardown(),
        Kexec(),
        KexecWithoutTeardown(),
        Crash(),
        InitAndOnline(),
        InitOnly(),
        SuspendResume(),
        Migrate(),
        MigrateWithoutState(),
        MigrateToOldHost(),
        MigrateReordered(),
        MigrateDamaged(),
        MigrateWrapping(),
        OldHost(),
        IgnoreMsrs(),
        MemslotUnplug(),
        MemslotReturn(),
        DoubleRegistration(),
        DoubleRegistrationMoved(),
        DoubleRegistrationCrossing(),
        Overlap(),
        OverlapVcpus(),
        DescriptorRace(),
        HostileBadBase(),
        HostileSizeZero(),
        HostileWrap(),
        HostileHuge(),
        HostileUnaligned(),
        HostilePageCrossing(),
        HostileSelf(),
        HostileEndless(),
        HostileUserMode(),
        I386Guest(),
        I386Edge(),
        Encrypted(),
        EncryptedUnshared(),
        Haltpoll(),
        AllowMigration(),
        AllowMigrationUnserved(),
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
