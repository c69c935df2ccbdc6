"""The features, which define the content of areas (payload ABIs), in one small file each.

Every named ``Feature`` class in a file of this folder is in FEATURES; it need not be listed anywhere else.
"""

from workbench.core.catalogue import by_key, classes_in, modules_of
from workbench.core.contracts import Feature
from workbench.errors import WorkbenchError

#: The files whose features come first in tables, in this order; all others follow in order of file names.
_FIRST = ("kvmclock", "wall_clock", "async_pf", "pv_eoi", "steal_time", "controls", "watchdog")

FEATURES: dict[str, Feature] = by_key(
    (kind() for module in modules_of(__name__, __path__, _FIRST) for kind in classes_in(module, Feature)),
    lambda feature: feature.name,
)


def choose(names: "list[str] | None" = None) -> tuple[Feature, ...]:
    """Return the named features in the order of FEATURES (all when None); raise WorkbenchError if unknown."""
    if names is None:
        return tuple(FEATURES.values())
    unknown = [name for name in names if name not in FEATURES]
    if unknown or not names:
        wrong = f"unknown feature {unknown[0]!r}" if unknown else "no feature named"
        raise WorkbenchError(f"{wrong}; known: {', '.join(FEATURES)}")
    return tuple(feature for name, feature in FEATURES.items() if name in names)
