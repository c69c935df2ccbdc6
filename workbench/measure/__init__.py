"""Measurements as tidy tables: exits, accesses, fates, migration state, guest memory, and costs by a model.

    compare(["generic", "per_feature"], vcpus=64)      # a frame: protocol, event, metric, value, unit, ...
    state_entries(subjects(["generic"]), choose(), 2, EVENTS["boot"])

pandas is imported when a table is made, not before.
"""

from workbench.measure.compare import compare
from workbench.measure.cost import CostModel
from workbench.measure.growth import over_features, over_vcpus
from workbench.measure.metrics import METRICS
from workbench.measure.runs import Measured, measured
from workbench.measure.state import ledger, state_entries
from workbench.measure.subjects import Subject, subject, subjects
from workbench.measure.tidy import COLUMNS, frame, pivot

__all__ = [
    "COLUMNS", "METRICS", "CostModel", "Measured", "Subject", "compare", "frame", "ledger", "measured",
    "over_features", "over_vcpus", "pivot", "state_entries", "subject", "subjects",
]  # fmt: skip
