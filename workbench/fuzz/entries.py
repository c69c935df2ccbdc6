"""Parses the operations of an entry of a data file: objects as in the lines of a replay file."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from workbench.replay.grammar import Operation
from workbench.replay.reading import parse


def parsed(name: str, steps: Sequence[Mapping[str, Any]]) -> Sequence[Operation]:
    """Return the operations of an entry called ``name``, given as the objects of a replay file's lines."""
    return parse(name, "\n".join(json.dumps(step) for step in steps).encode()).operations
