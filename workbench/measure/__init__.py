"""Measurements as tidy tables: exits, accesses, fates, migration state, guest memory, and costs by a model.

    compare(["generic", "per_feature"], vcpus=64)      # a frame: protocol, event, metric, value, unit, ...
    state_entries(variants(["generic"]), choose(), 2, EVENTS["boot"])

pandas is imported when a table is made, not before.
"""

from workbench.measure.comparison import cost
from workbench.measure.comparison.compare import compare
from workbench.measure.comparison.cost import CostModel
from workbench.measure.comparison.growth import over_features, over_vcpus
from workbench.measure.comparison.metrics import METRICS
from workbench.measure.comparison.runs import Measured, measured
from workbench.measure.comparison.state import ledger, state_entries
from workbench.measure.rows import COLUMNS, frame, pivot
from workbench.measure.variants import Variant, variant, variants

__all__ = [
    "COLUMNS", "METRICS", "CostModel", "Measured", "Variant", "compare", "cost", "frame", "ledger", "measured",
    "over_features", "over_vcpus", "pivot", "state_entries", "variant", "variants",
]  # fmt: skip
