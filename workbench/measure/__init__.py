"""Measurements as tidy tables: exits, accesses, fates, migration state, guest memory, and costs by a model.

    compare(["generic", "per_feature"], vcpus=64)      # a frame: protocol, event, metric, value, unit, ...
    state_entries(variants(["generic"]), choose(), 2, EVENTS["boot"])

pandas is imported when a table is made, not before. A module of this package is imported when something of it is first
asked for: who explores a design does not load the simulator and its tables.
"""

from importlib import import_module
from typing import Any

from workbench.measure.comparison import cost
from workbench.measure.variants import Variant, variant, variants

#: The module that holds each of the other names.
_LATER = {
    "COLUMNS": "workbench.measure.rows",
    "METRICS": "workbench.measure.comparison.metrics",
    "CostModel": "workbench.measure.comparison.cost",
    "Measured": "workbench.measure.comparison.runs",
    "compare": "workbench.measure.comparison.compare",
    "frame": "workbench.measure.rows",
    "ledger": "workbench.measure.comparison.state",
    "measured": "workbench.measure.comparison.runs",
    "over_features": "workbench.measure.comparison.growth",
    "over_vcpus": "workbench.measure.comparison.growth",
    "payload_updates": "workbench.measure.comparison.updates",
    "pivot": "workbench.measure.rows",
    "state_entries": "workbench.measure.comparison.state",
}

__all__ = [
    "COLUMNS", "METRICS", "CostModel", "Measured", "Variant", "compare", "cost", "frame", "ledger", "measured",
    "over_features", "over_vcpus", "payload_updates", "pivot", "state_entries", "variant", "variants",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_LATER[name]), name)
