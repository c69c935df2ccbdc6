"""Imports go one way: present -> measure -> engines -> core; features, protocols, lifecycle -> core.

Engines import neither each other nor any protocol, so that one protocol file can be simulated, explored and run on a
real vCPU. There are no import cycles, direct or indirect. Imports inside functions and under TYPE_CHECKING count too.
"""

import re
import subprocess
import sys
import tomllib
from itertools import chain

import pytest

from tests.house.imports import ROOT, circles, dotted, graph, imported, modules, told

#: The places that each place may import besides itself. A place that is not listed may not exist in the package.
MODELS = {"features", "protocols", "lifecycle"}
ALLOWED = {
    "": set(),
    "errors": set(),
    "paths": set(),
    "printable": set(),
    # Every file that a user names is read through it.
    "reading": {"errors"},
    "clayout": {"errors", "reading"},  # reading: the headers that a header includes
    "core": {"clayout", "errors", "reading"},
    "features": {"core", "clayout", "errors"},
    "protocols": {"core", "clayout", "errors"},
    "lifecycle": {"core", "clayout", "errors"},
    # What authors import: it shows names of the rooms below, and no room of the package imports it.
    "design": {"core", "clayout", "errors"} | MODELS,
    # Finished pieces of work, and helpers that end with their process: who works long, or starts processes, needs it.
    "durable": {"core", "errors", "paths"},
    "checking": {"core", "clayout", "errors"},
    "engines": {"durable", "checking", "core", "clayout", "errors"},
    "measure": {"durable", "engines", "checking", "core", "clayout", "errors", "paths", "reading"} | MODELS,
    "replay": {"engines", "checking", "core", "clayout", "errors", "reading"} | MODELS,
    "fuzz": {"replay", "durable", "engines", "core", "clayout", "errors", "paths", "reading"} | MODELS,
    "history": {"measure", "engines", "checking", "core", "clayout", "errors"} | MODELS,
    "present": {"measure", "replay", "durable", "engines", "checking", "core", "clayout"}
    | {"errors", "printable", "reading"}  # reading: the mail that a post answers
    | MODELS,
    # Exercises: every room that an answer may be run in.
    "classroom": {"present", "measure", "engines", "checking", "replay", "design", "core", "clayout", "errors"}
    | {"durable", "paths", "printable", "reading"}  # grading: processes, the files that a fence lets through, notebooks
    | MODELS,
    "commands": {"durable", "present", "measure", "replay", "fuzz", "history", "engines", "checking", "core", "clayout"}
    | {"classroom", "errors", "paths", "printable", "reading"} | MODELS,
    "cli": {"commands", "errors", "printable"},
    "__main__": {"cli"},
}

#: Not needed below measure, where they would add seconds to every start.
BELOW_MEASURE = {"", "errors", "paths", "printable", "reading", "clayout", "core", "checking", "engines", *MODELS}
HEAVY = {"pandas", "matplotlib", "ipywidgets", "IPython", "nbclient", "nbconvert", "nbformat"}

#: Modules for raw memory and kernel calls; they may be imported only where each use states its invariant.
RAW = {"ctypes", "mmap", "fcntl", "cffi"}
#: One call each, whose invariant stands beside it.
RAW_ELSEWHERE = {("workbench.durable.lock", "fcntl"), ("workbench.classroom.grading.fence.libc", "ctypes")}

#: A box is a package that only one user imports, and only through its ``__init__``, so that it can be removed
#: (tests/engines/test_boxes.py).
BOXES = {
    "workbench.engines.simulate.lanes": "workbench.engines.simulate.engine",
    "workbench.engines.simulate.straight": "workbench.engines.simulate.replay_target",
    "workbench.engines.explore.symmetry": "workbench.engines.explore.api",
    "workbench.engines.explore.vm.symmetry": "workbench.engines.explore.vm.explore",
}


def place(module: str) -> str:
    """Return the row of the table: ``core``, ``engines.simulate``, ...; ``""`` for the package itself."""
    parts = module.split(".")[1:]
    return ".".join(parts[: 2 if parts[:1] == ["engines"] else 1])


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def objection(importer: str, target: str) -> str | None:
    """Return what is wrong with ``importer`` importing ``target``, or None."""
    here, there, root = place(importer), place(target), target.partition(".")[0]
    kind = here.partition(".")[0]
    if kind not in ALLOWED:
        return f"{here!r} is not a place of the house: {', '.join(filter(None, ALLOWED))}"
    if root != "workbench":
        if root in RAW and here != "engines.kvm" and (importer, root) not in RAW_ELSEWHERE:
            return f"{root} belongs into engines/kvm alone"
        if root in HEAVY and kind in BELOW_MEASURE:
            return f"{root} may be imported in measure, present and cli only"
        return None
    for box, user in BOXES.items():
        if within(target, box) and not within(importer, box) and (importer, target) != (user, box):
            return f"{box} is a box: {user} may import it, as a whole"
    if target == "workbench" or there == here or (here.startswith("engines.") and there == "engines"):
        return None
    if there.partition(".")[0] in ALLOWED[kind]:
        return None
    return f"{here or 'workbench'} may import {', '.join(sorted(ALLOWED[kind])) or 'no part of it'}"


def test_imports_run_one_way():
    names = {dotted(path) for path in modules()}
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: imports {target}: {reason}"
        for path in modules()
        for line, target in imported(path.read_text(), dotted(path), path.name == "__init__.py", names)
        if (reason := objection(dotted(path), target))
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("workbench.core.memory", "workbench.features.kvmclock"),
        ("workbench.core.memory", "pandas"),
        ("workbench.features.kvmclock", "workbench.protocols.generic"),
        ("workbench.protocols.generic", "workbench.features.kvmclock"),
        ("workbench.lifecycle.kexec", "workbench.protocols.generic"),
        ("workbench.engines.simulate.run", "workbench.engines.explore.search"),
        ("workbench.engines.simulate", "workbench.protocols.generic"),
        ("workbench.engines.explore.search", "ctypes"),
        ("workbench.engines.simulate.engine", "workbench.engines.simulate.lanes.machine"),
        ("workbench.engines.simulate.fates", "workbench.engines.simulate.lanes"),
        ("workbench.engines.explore.trace", "workbench.engines.explore.symmetry.representatives"),
        ("workbench.measure.exits", "workbench.present.text.tables"),
        ("workbench.present.text.tables", "workbench.cli"),
        ("workbench.present.text.tables", "fcntl"),
        ("workbench", "workbench.core.memory"),
        ("workbench.utils", "workbench.core.memory"),
    ],
)
def test_wrong_directions_are_objected_to(importer, target):
    assert objection(importer, target)


@pytest.mark.parametrize(
    ("importer", "target"),
    [
        ("workbench.core.memory", "workbench.errors"),
        ("workbench.core.memory", "numpy"),
        ("workbench.engines.simulate.run", "workbench.core.machine"),
        ("workbench.engines.simulate.run", "workbench.engines.simulate.record"),
        ("workbench.engines.simulate.engine", "workbench.engines.simulate.lanes"),
        ("workbench.engines.simulate.lanes.machine", "workbench.engines.simulate.lanes.state"),
        ("workbench.engines.kvm.api.ioctl", "fcntl"),
        ("workbench.measure.exits", "workbench.engines.simulate"),
        ("workbench.present.text.tables", "workbench.measure.exits"),
        ("workbench.commands.compare", "workbench.present.text.tables"),
        ("workbench.cli", "workbench"),
    ],
)
def test_right_directions_are_not(importer, target):
    assert objection(importer, target) is None


@pytest.mark.parametrize(
    ("source", "targets"),
    [
        ("import workbench.core.memory as m", ["workbench.core.memory"]),
        ("from workbench.core import memory, Anything", ["workbench.core.memory", "workbench.core"]),
        ("from . import run", ["workbench.engines.simulate.run"]),
        ("from ..explore.search import look", ["workbench.engines.explore.search"]),
        ("def f():\n    import pandas", ["pandas"]),
        ("importlib.import_module('workbench.cli')", ["workbench.cli"]),
        ("__import__('ctypes')", ["ctypes"]),
        ("ENGINES = {'sim': 'workbench.engines.simulate.run'}", ["workbench.engines.simulate.run"]),
    ],
)
def test_every_form_of_import_is_seen(source, targets):
    names = {"workbench.core.memory", "workbench.engines.simulate.run"}
    found = imported(source, "workbench.engines.simulate.record", False, names)
    assert [target for _, target in found] == targets


def test_no_modules_import_each_other_in_a_circle():
    edges = graph()
    found = [told(edges, circle) for circle in circles(edges)]
    assert not found, "\n\n".join(["modules import each other in a circle:", *found])


PLANTED = {
    "__init__.py": "",
    "low.py": "import ast",
    "here.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from planted.inner import there",
    "inner/__init__.py": "from planted.inner.there import thing",
    "inner/there.py": "def thing():\n    from ..beyond import that",
    "beyond.py": "import planted.here\nfrom planted import low",
}


@pytest.fixture
def planted(tmp_path):
    """Write a package in which here, there and beyond import each other: for types, in a function, and plainly."""
    for name, source in PLANTED.items():
        path = tmp_path / "planted" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return tmp_path / "planted"


def test_a_planted_circle_is_found_and_told(planted):
    edges = graph(planted)
    (circle,) = circles(edges)
    assert circle == ["planted.beyond", "planted.here", "planted.inner.there", "planted.beyond"]
    assert told(edges, circle).splitlines() == [
        "planted.beyond imports planted.here (planted/beyond.py:1)",
        "planted.here imports planted.inner.there (planted/here.py:3)",
        "planted.inner.there imports planted.beyond (planted/inner/there.py:2)",
    ]


def test_without_its_last_import_it_is_none(planted):
    (planted / "beyond.py").write_text("from planted import low")
    assert circles(graph(planted)) == []


def test_each_knot_is_told_once_and_by_its_shortest_circle():
    edges = {"a": "b", "b": "ac", "c": "d", "d": "b", "x": "y", "y": "xa", "z": "x"}
    assert circles({name: dict.fromkeys(targets, "") for name, targets in edges.items()}) == [list("aba"), list("xyx")]


def test_third_party_imports_are_declared():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    declared = [*project["dependencies"], *chain(*project["optional-dependencies"].values())]
    known = {re.split(r"[^\w-]", line, maxsplit=1)[0].lower() for line in declared}
    known |= sys.stdlib_module_names | {"workbench"}
    known |= {"ipython"}  # jupyterlab and ipywidgets depend on it
    wrong = [
        f"{path.relative_to(ROOT)}:{line}: {target} is not in pyproject.toml"
        for path in modules()
        for line, target in imported(path.read_text(), dotted(path), path.name == "__init__.py", set())
        if not known & {target.partition(".")[0], target.partition(".")[0].lower()}
    ]
    assert not wrong, "\n".join(wrong)


def test_importing_the_package_imports_nothing_heavy():
    heavy = "{'numpy', 'pandas', 'matplotlib', 'ipywidgets'}"
    program = f"import sys, workbench; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert run.stdout.strip() == "[]"
