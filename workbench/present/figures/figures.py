"""Figures of tidy measurements, as matplotlib ``Figure`` objects: no pyplot, no global state.

The title gives the answer, the line below it the circumstances; every bar, curve and column has its name beside it and
every axis its unit; a protocol has the same colour in every figure and view (``style.looks``); every point is a run of
the simulator and the figure says so. ``size``: print, screen or projector (``sizes``). The same table gives the same
bytes (``images``).
"""

from workbench.present.figures.agreement import agreement
from workbench.present.figures.bars import exits_by_class, guest_memory, migration_state
from workbench.present.figures.curves import carried, feature_growth, growth
from workbench.present.figures.fates import fates
from workbench.present.figures.matrix import failures
from workbench.present.figures.skew import skew
from workbench.present.figures.verdict import verdict

__all__ = [
    "agreement", "carried", "exits_by_class", "failures", "fates", "feature_growth", "growth", "guest_memory",
    "migration_state", "skew", "verdict",
]  # fmt: skip
