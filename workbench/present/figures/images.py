"""A figure as PNG or SVG bytes, without date and software name: the same figure gives the same bytes."""

import io
from typing import Any

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

#: Identifiers inside an SVG are derived from the salt, so that they are not random.
_SETTINGS: Any = {"svg.hashsalt": "workbench", "hatch.linewidth": 0.6}


def png(figure: Figure) -> bytes:
    """Return the figure as PNG."""
    return _bytes(figure, "png")


def svg(figure: Figure) -> bytes:
    """Return the figure as SVG."""
    return _bytes(figure, "svg")


def _bytes(figure: Figure, form: str) -> bytes:
    (FigureCanvasAgg if form == "png" else FigureCanvasSVG)(figure)
    metadata = {"Software": None} if form == "png" else {"Date": None, "Creator": None}
    buffer = io.BytesIO()
    with matplotlib.rc_context(_SETTINGS):
        figure.savefig(buffer, format=form, metadata=metadata)
    return buffer.getvalue()
