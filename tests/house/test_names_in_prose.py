"""Modules and files named in prose, docstrings and comments exist: such names become stale when files move."""

import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest

from tests.house.imports import PACKAGE, ROOT, dotted, modules

MODULE = re.compile(r"\bworkbench(?:\.[a-z_]\w*)+")
FILE = re.compile(r"(?<![\w./-])(?:[\w-]+/)+[\w-]+\.py\b")
#: How a reader's own file is called in examples.
READERS_OWN = ("path/to/", "my/")
#: The changelog keeps the names that files had when it was written.
PAGES = [path for path in sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]) if path.name != "CHANGELOG.md"]
NAMES = {dotted(path) for path in modules()}


def exists(name: str) -> bool:
    """Tell whether ``name`` is a module of the package, or something in one."""
    above, _, last = name.rpartition(".")
    return name in NAMES or (above in NAMES and hasattr(import_module(above), last))


def stale(text: str, beside: Path) -> Iterator[str]:
    """Yield the names of modules and files in ``text`` that are not there; paths count from several folders."""
    yield from (found[0] for found in MODULE.finditer(text) if not exists(found[0]))
    for found in FILE.finditer(text):
        if not found[0].startswith(READERS_OWN) and not any((at / found[0]).exists() for at in (ROOT, PACKAGE, beside)):
            yield found[0]


def test_what_prose_names_is_there():
    wrong = {str(p.relative_to(ROOT)): list(stale(p.read_text(), p.parent)) for p in [*PAGES, *modules()]}
    assert {where: names for where, names in wrong.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("see `core/vmsteps.py` and core/steps.py", ["core/vmsteps.py"]),
        ("``workbench.core.nothing`` of workbench.core.steps", ["workbench.core.nothing"]),
        ("workbench.core.steps.Load is a step. workbench compare is a command", []),
        ("`path/to/file.py:Class`, my/file.py", []),
    ],
)
def test_stale_names_are_told_from_others(text, names):
    assert list(stale(text, ROOT)) == names
