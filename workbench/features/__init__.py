"""What is in an area: payload ABIs, one small file each."""

from workbench.core.contracts import Feature
from workbench.errors import WorkbenchError
from workbench.features.async_pf import AsyncPf
from workbench.features.controls import MigrationControl, PollControl
from workbench.features.kvmclock import Kvmclock
from workbench.features.pv_eoi import PvEoi
from workbench.features.steal_time import StealTime
from workbench.features.wall_clock import WallClock
from workbench.features.watchdog import Watchdog

FEATURES: dict[str, Feature] = {
    feature.name: feature
    for feature in (
        Kvmclock(),
        WallClock(),
        AsyncPf(),
        PvEoi(),
        StealTime(),
        PollControl(),
        MigrationControl(),
        Watchdog(),
    )
}


def choose(names: "list[str] | None" = None) -> tuple[Feature, ...]:
    """Return the named features in the order of this file (all when None); raise WorkbenchError if unknown."""
    if names is None:
        return tuple(FEATURES.values())
    unknown = [name for name in names if name not in FEATURES]
    if unknown or not names:
        wrong = f"unknown feature {unknown[0]!r}" if unknown else "no feature named"
        raise WorkbenchError(f"{wrong}; known: {', '.join(FEATURES)}")
    return tuple(feature for name, feature in FEATURES.items() if name in names)
