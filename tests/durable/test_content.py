"""Keys of pieces: equal for the same sources and the same question, different for every other."""

import json
import sys
from functools import partial

import pytest

from workbench.durable import content
from workbench.durable.content import described
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle import choose_one as event
from workbench.protocols import PROTOCOLS, find

FILE = """
import sys
from pathlib import Path
sys.path.insert(0, str(Path(__file__).parent))
import helper_of_a_test_of_content
from workbench.protocols import Generic

TEXT = (Path(__file__).parent / "layout.h").read_text()

class Mine(Generic):
    name = "mine"
"""


@pytest.fixture
def mine(tmp_path):
    (tmp_path / "mine.py").write_text(FILE)
    (tmp_path / "helper_of_a_test_of_content.py").write_text("OF = 'data.txt'\n")
    (tmp_path / "data.txt").write_text("1\n")
    (tmp_path / "layout.h").write_text("struct a { int b; };\n")
    (tmp_path / "beside.py").write_text("not used\n")
    yield tmp_path
    sys.path[:] = [place for place in sys.path if place != str(tmp_path)]
    sys.modules.pop("helper_of_a_test_of_content", None)


def told(folder):
    return json.dumps(described(find(f"{folder / 'mine.py'}:Mine")))


@pytest.mark.parametrize("name", ["mine.py", "helper_of_a_test_of_content.py", "data.txt", "layout.h"])
def test_a_change_of_what_a_file_uses_is_another_content(mine, name):
    before = told(mine)
    assert told(mine) == before
    (mine / name).write_text((mine / name).read_text() + "\n")
    assert told(mine) != before


def test_a_change_of_another_file_or_of_the_place_is_none(mine, tmp_path_factory):
    before = told(mine)
    (mine / "beside.py").write_text("changed\n")
    assert told(mine) == before


def test_everything_that_ships_is_described_and_told_apart():
    things = [*PROTOCOLS.values(), *FEATURES.values(), *EVENTS.values(), event("init+migrate"), event("migrate+init")]
    found = [json.dumps(described(thing)) for thing in things]
    assert len(set(found)) == len(things)
    assert found == [json.dumps(described(thing)) for thing in things]
    assert not any("0x" in text for text in found)


def test_values_are_told_apart_by_kind():
    values = [None, True, 1, "1", 1.5, b"1", (1,), ((1,),), {1: 2}, {2: 1}, frozenset({1}), EVENTS]
    values += [choose(["kvmclock"]), test_values_are_told_apart_by_kind, partial(print, 1), partial(print, 2)]
    found = [json.dumps(described(value)) for value in values]
    assert len(set(found)) == len(values)


def test_what_has_no_file_is_refused():
    kind = type("AtAPrompt", (PROTOCOLS["generic"],), {"__module__": "__main__"})
    import __main__

    before = getattr(__main__, "__file__", None)
    if before is not None:
        del __main__.__file__
    try:
        with pytest.raises(WorkbenchError, match="has no file whose text could be compared"):
            described(kind)
    finally:
        if before is not None:
            __main__.__file__ = before


def test_a_class_of_an_installed_package_is_told_by_its_text(monkeypatch, tmp_path):
    (tmp_path / "pretended_package.py").write_text("class Mine:\n    pass\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(content, "_INSTALLED", (tmp_path,))
    import pretended_package

    before = described(pretended_package.Mine)
    (tmp_path / "pretended_package.py").write_text("class Mine:\n    other = 1\n")
    assert described(pretended_package.Mine) != before


def test_the_package_has_one_digest(monkeypatch, tmp_path):
    before = content.workbench()
    monkeypatch.setattr(content, "_PACKAGE", tmp_path)
    content.workbench.cache_clear()
    try:
        assert content.workbench() != before
    finally:
        monkeypatch.undo()
        content.workbench.cache_clear()
    assert content.workbench() == before
