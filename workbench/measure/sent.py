"""How events and features travel to another process: by a name or a path by which it finds them, else as themselves."""

from typing import Any

from workbench import features, lifecycle
from workbench.core import own_files
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event


def sent(thing: Event | Feature) -> Any:
    """Return what is sent in place of ``thing``: text if it ships or is from a file; others have no name elsewhere."""
    return own_files.named_anywhere(thing) if _is_findable(thing) else thing


def _is_findable(thing: Event | Feature) -> bool:
    if isinstance(thing, lifecycle.Composed):
        return all(map(_is_findable, thing.parts))
    known = features.SHIPPED if isinstance(thing, Feature) else lifecycle.EVENTS
    return own_files.is_named(thing) or known.get(thing.name) is thing
