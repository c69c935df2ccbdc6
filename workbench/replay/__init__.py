"""Replay files: operations on a machine, one JSON object per line, and the answers expected.

``reading`` turns a file into operations (``grammar`` defines the operations, ``values`` the values of their
keys), ``runner`` carries them out on an engine, ``report`` formats the results. The format is described
in docs/replay.md.
"""

from workbench.replay.engines import ENGINES, find_engine
from workbench.replay.grammar import Operation
from workbench.replay.reading import ReplayFile, parse, read
from workbench.replay.report import as_text, records
from workbench.replay.runner import Result, Totals, play, totals
from workbench.replay.values import quote

__all__ = [
    "ENGINES",
    "Operation",
    "ReplayFile",
    "Result",
    "Totals",
    "as_text",
    "find_engine",
    "parse",
    "play",
    "quote",
    "read",
    "records",
    "totals",
]
