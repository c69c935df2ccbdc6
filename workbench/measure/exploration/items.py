"""What a reader can look at after each step: fields in guest memory, the host's entries, what the guest believes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from workbench.clayout.layout import Layout
from workbench.core.host_state import DERIVED, Key
from workbench.core.step_text import key_text, value_text

#: What items belong to, in the order in which they are shown.
MEMORY, HOST, DERIVED_STATE, GUEST = "guest memory", "host state", "derived by the host", "what the guest believes"
GROUPS = (MEMORY, HOST, DERIVED_STATE, GUEST)
NOTHING = "nothing"


class Item(NamedTuple):
    """One thing that a reader can look at: what it belongs to (GROUPS), and its name there."""

    group: str
    of: str  #: a structure in guest memory with its address; empty for other groups
    name: str


class Structure(NamedTuple):
    """A structure in guest memory."""

    gpa: int
    layout: Layout
    what: str  #: "steal_time of vCPU 0"

    @property
    def title(self) -> str:
        """Its type, its address and what it is."""
        return f"{self.layout.struct_name} at {self.gpa:#x}: {self.what}"


#: The text of every item that has a value, at one moment.
State = Mapping[Item, str]


def in_memory(shown: Iterable[Structure], read: Callable[[int, int], bytes | None]) -> dict[Item, str]:
    """Return the fields of structures; ``read(gpa, size)`` returns the bytes, None where there is no memory."""
    found: dict[Item, str] = {}
    for one in shown:
        data = read(one.gpa, one.layout.size)
        told = [("memory", "gone")] if data is None or len(data) < one.layout.size else _fields(one.layout, data)
        found |= {Item(MEMORY, one.title, name): text for name, text in told}
    return found


def in_host(held: Iterable[tuple[Key, Any]]) -> dict[Item, str]:
    """Return the host's entries."""
    groups = ((DERIVED_STATE if key.kind in DERIVED else HOST, key, value) for key, value in held)
    return {Item(group, "", key_text(key)): value_text(value) for group, key, value in groups}


def _fields(layout: Layout, data: bytes) -> Iterator[tuple[str, str]]:
    value = layout.unpack(data)
    for field in layout.fields:
        if "pad" not in field.name:
            content = value[field.name]
            is_odd = field.name == "version" and isinstance(content, int) and content & 1
            yield field.name, value_text(content) + (" (odd)" if is_odd else "")


def changes_of(
    states: Sequence[State], shown: Sequence[Structure]
) -> tuple[dict[Item, str], tuple[dict[Item, str], ...]]:
    """Return the text of every item at the beginning, in the order of display, and what each further state changes."""
    items = sorted({item for state in states for item in state}, key=_order(shown))
    told = [{item: state.get(item, NOTHING) for item in items} for state in states]
    changes = ({item: now[item] for item in items if now[item] != before[item]} for before, now in pairwise(told))
    return told[0], tuple(changes)


def _order(shown: Sequence[Structure]) -> Callable[[Item], tuple[int, int, int, str]]:
    """Return the order of items: by group; memory by address and offset, other items by name."""
    places = {one.title: number for number, one in enumerate(shown)}
    fields = {(one.title, field.name): field.offset for one in shown for field in one.layout.fields}
    return lambda item: (
        GROUPS.index(item.group), places.get(item.of, 0), fields.get((item.of, item.name), -1), item.name
    )  # fmt: skip


__all__ = ["GUEST", "HOST", "MEMORY", "NOTHING", "Item", "State", "Structure", "changes_of", "in_host", "in_memory"]
