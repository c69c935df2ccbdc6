"""Simulated against measured: areas by their fate in the simulator, and on a real KVM.

Agreement is the diagonal. An area beside the diagonal is dark, whatever its words: the model was wrong there.
"""

from __future__ import annotations

from collections.abc import Mapping

from matplotlib.figure import Figure

from workbench.core.outcome import SEVERITY
from workbench.errors import WorkbenchError
from workbench.present.figures.grid import Box, Grid
from workbench.present.figures.sheet import SMALL, Sheet
from workbench.present.figures.sizes import DEFAULT
from workbench.present.figures.style import TONES
from workbench.present.figures.words import number

SOURCE = "the diagonal is agreement; a number beside it would be dark: areas whose fate the model gets wrong"


def agreement(pairs: Mapping[tuple[str, str], int], about: str, *, size: str = DEFAULT) -> Figure:
    """Return a table of words by words; a cell holds the number of areas with this pair of words.

    ``pairs``: as ``on_kvm.word_pairs.counted`` returns them; ``about``: where they were measured. Raises WorkbenchError
    for no pairs.
    """
    if not pairs:
        raise WorkbenchError("simulated and measured cannot be compared without an area; measure at least one event")
    total = sum(pairs.values())
    same = sum(count for (one, other), count in pairs.items() if one == other)
    words = [fate.value for fate in SEVERITY if any(fate.value in pair for pair in pairs)]
    sheet = Sheet(size, f"The same fate in simulator and KVM: {number(same)} of {number(total)} areas", about)
    sheet.text(sheet.left, sheet.y, "rows: simulated; columns: measured on a real KVM", SMALL, va="top")
    sheet.y += sheet.height_of("x", SMALL) + 0.3 * sheet.em
    grid = Grid(sheet, words, (9 * sheet.em, 1.9 * sheet.em), len(words), map(str, pairs.values()))
    grid.columns(words)
    for simulated in words:
        grid.row(simulated, [_box(simulated, measured, pairs.get((simulated, measured), 0)) for measured in words])
    return sheet.done(SOURCE)


def _box(simulated: str, measured: str, count: int) -> Box:
    if simulated == measured:
        return Box(TONES["good"].fill, ink=TONES["good"].ink, text=number(count))
    if count:
        return Box(TONES["worst"].fill, ink=TONES["worst"].ink, text=number(count))
    return Box("#ffffff", text="0")


__all__ = ["agreement"]
