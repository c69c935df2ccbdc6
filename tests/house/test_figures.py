"""The figures count correctly."""

import ast
import sys
import threading

import pytest

from tests.house.figures import loaded_for, public_names, register, running, size
from workbench.protocols import Generic, PerFeature

SOURCE = '''"""A module."""
from elsewhere import Imported
A = 1
B, _c = 2, 3
D: int = 4
_E = 5
async def f():
    def g():
        local = 1
        return local

    return g
class H:
    def method(self): ...
'''


def test_public_names_are_those_defined_at_the_top():
    assert public_names(ast.parse(SOURCE)) == {"A", "D", "f", "H"}


def test_size_counts_functions_inside_functions(tmp_path):
    (tmp_path / "one.py").write_text(SOURCE)
    (tmp_path / "two.py").write_text("def short(): ...\n")
    found = size([tmp_path / "one.py", tmp_path / "two.py"])
    assert (found["files"], found["lines"], found["public names"], found["functions"]) == (2, 15, 5, 4)
    assert found["median lines of a function"] == 1
    assert found["longest function"] == "6, f in one.py"
    assert found["longest file"] == "14, one.py"


MODULES = {
    "called.py": "from guests import imported\ndef f():\n    import guests.late\n    return guests.late",
    "imported.py": "def g(): ...",
    "late.py": "VALUE = 1",
    "threaded.py": "def h(): yield",
    "__init__.py": "",
}


@pytest.fixture
def guests(tmp_path, monkeypatch):
    (tmp_path / "guests").mkdir()
    for name, source in MODULES.items():
        (tmp_path / "guests" / name).write_text(source)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "guests"
    for name in [name for name in sys.modules if name.partition(".")[0] == "guests"]:
        del sys.modules[name]


def test_a_module_runs_if_a_function_of_its_own_is_called(guests):
    from guests import called, threaded

    def operation():
        called.f()
        thread = threading.Thread(target=lambda: list(threaded.h()))
        thread.start()
        thread.join()

    assert running(operation, guests) == ["guests.called", "guests.threaded"]
    assert running(called.f, guests) == ["guests.called"]
    assert running(lambda: None, guests) == []


@pytest.mark.parametrize(("kind", "name"), [(PerFeature, "per_feature"), (Generic, "generic")])
def test_one_wrmsr_runs_the_driver_the_transition_and_one_protocol(kind, name):
    found = running(register(kind))
    assert {"workbench.core.driver", "workbench.core.transition", f"workbench.protocols.{name}"} <= set(found)
    assert not [module for module in found if module.split(".")[1] in {"engines", "measure", "present"}]


def test_loaded_are_a_module_and_what_it_imports():
    assert loaded_for("workbench.errors") == 2
    assert loaded_for("workbench.protocols") > loaded_for("workbench.core.machine") > 2
