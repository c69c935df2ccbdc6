"""One line of a report, and how checks name addresses, entries and errors."""

from collections.abc import Iterable
from typing import Any, NamedTuple

from workbench.core.host_state import VM, Key
from workbench.core.rules.place import raised
from workbench.errors import WorkbenchError

PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"
#: The check of all events: if it fails, others that run the design are not of use.
RUNS = "runs under every event"


class Line(NamedTuple):
    """A check: its status, what was checked, and the finding or the reason in one sentence."""

    status: str
    what: str
    text: str


def number_of(count: int, what: str = "feature") -> str:
    """Return a number with its noun: "1 feature", "2 features"."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def key_text(key: Any) -> str:
    """Return an entry's name as its author writes it: ``register(0, 0x4b564d20)``, ``registry(VM, 'types')``."""
    if not isinstance(key, Key):
        return repr(key)
    name = hex(key.name) if isinstance(key.name, int) else repr(key.name)
    return f"{key.kind}({'VM' if key.cpu == VM else key.cpu}, {name})"


def keys_text(keys: Iterable[Any], most: int = 4) -> str:
    """Return some entries' names, and how many more there are."""
    names = sorted(map(key_text, keys))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def error_text(error: BaseException) -> str:
    """Return an error in one line, with the author's file and line."""
    return " ".join(str(error).split()) if isinstance(error, WorkbenchError) else raised(error)
