"""``workbench.design`` is the one place from which authors import: its names stay, and each is explained."""

import ast
import inspect
import json
import re
import types

import pytest

import workbench.design as design
from tests.house.imports import ROOT, imported

#: Files that stand for an author's own: they may import nothing else of the package.
AUTHORS = [
    "tests/additions/pv_sched.py",
    "tests/additions/sleepy_vmm.py",
    "tests/cli/third_protocol.py",
    "tests/protocols/data/third.py",
]
#: The names promised so far. A name may be added here; one that is taken away breaks files that we do not know.
PROMISED = """
ACCEPTED Abi AcceptedAt AddMemslot AfterBoot AllVcpus Answer Area AtBoot Backed Compared ControlBits Counted Cover
DERIVED DESCRIPTOR DeleteMemslot Each Enter Event FAULT Feature Generic Get GuestCall HANDLED Hidden Host HostCall
Hypercall Init IoRange KVM_EINVAL KVM_ENOSYS KVM_EPERM KVM_SUPPORTED KernelGone Key LinuxKernel Load MarkDirty Migration
MmioRead MmioWrite Moment MoveMemslot NewHost Note Now Null OnHost Outcome PAGE_SIZE Pause PerFeature PioRead PioWrite
Program Protocol Quiesce REFUSED Rdmsr Reassign Register Resume Scenario SendDirty SendMemory Set Share Start
StateEntry Stop Store StoreMapped Struct ToUser U16 U32 U64 U8 UNKNOWN Uncover Unit VM Value Vcpu Wait WaitAll
WorkbenchError Wrmsr area asked baseline believes boot_all each enter_all host_side of_its_own pending register
registry seqlock share staged starting stop_news struct
""".split()


def test_the_names_stay():
    assert sorted(design.__all__) == sorted(PROMISED)
    assert len(design.__all__) == len(set(design.__all__))


def explained():
    """Return {name: text} of the table in the docstring."""
    rows = re.findall(r"^(\w+) {2,}(\S.*)$", inspect.getdoc(design) or "", re.MULTILINE)
    assert len(rows) == len(dict(rows)), "a name stands twice in the table"
    return dict(rows)


def test_each_name_is_explained_and_no_other():
    assert sorted(explained()) == sorted(design.__all__)


@pytest.mark.parametrize("name", design.__all__)
def test_what_can_have_a_docstring_has_one_of_its_own(name):
    value = getattr(design, name)
    if isinstance(value, type | types.FunctionType | types.ModuleType):
        said = vars(value).get("__doc__") or "" if isinstance(value, type) else value.__doc__ or ""
        assert len(said.split()) > 2, f"{name} is not documented"
        assert not said.startswith(f"{name}("), f"{name} has only the docstring that NamedTuple makes"


def test_nothing_else_is_imported_into_it():
    public = {name for name in vars(design) if not name.startswith("_")}
    assert public == set(design.__all__)


@pytest.mark.parametrize("path", AUTHORS)
def test_authors_files_import_from_it_only(path):
    targets = {target for _, target in imported((ROOT / path).read_text(), "mine", False, set())}
    ours = {target for target in targets if target.partition(".")[0] == "workbench"}
    assert ours == {"workbench.design"}


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in sorted(ROOT.glob("notebooks/*.ipynb"))])
def test_notebooks_import_these_names_from_it(path):
    cells = [cell["source"] for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    nodes = [node for cell in cells for node in ast.walk(ast.parse("".join(cell)))]
    scattered = [
        f"from {node.module} import {alias.name}"
        for node in nodes
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if (node.module or "").startswith("workbench") and alias.name in PROMISED and node.module != "workbench.design"
    ]
    assert not scattered


def test_a_star_import_gives_all_that_a_protocol_needs():
    lines = ast.parse((ROOT / "tests/protocols/data/third.py").read_text())
    lines.body = [node for node in lines.body if getattr(node, "module", None) != "workbench.design"]
    space: dict = {}
    exec("from workbench.design import *\n" + ast.unparse(lines), space)
    assert space["RegisterArray"].name == "register_array"
