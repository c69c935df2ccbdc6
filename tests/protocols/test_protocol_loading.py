"""Finding a protocol by its name or in a file, and the one-line errors if there is none."""

import shutil
from pathlib import Path

import pytest

from workbench.core.contracts import Protocol
from workbench.errors import WorkbenchError
from workbench.protocols import PROTOCOLS, Generic, Null, PerFeature, find

DATA = Path(__file__).parent / "data"

ONE = """\
from workbench.protocols.null import Null


class Mine(Null):
    name = "mine"
"""


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Return a function that writes a protocol file in the current folder."""
    monkeypatch.chdir(tmp_path)

    def write(text, name="mine.py"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return name

    return write


def why_not(name):
    with pytest.raises(WorkbenchError) as error:
        find(name)
    assert "\n" not in str(error.value)
    return str(error.value)


@pytest.mark.parametrize(("name", "kind"), [("generic", Generic), ("per_feature", PerFeature), ("null", Null)])
def test_a_protocol_of_the_package_is_found_by_its_name(name, kind):
    assert find(name) is kind
    assert PROTOCOLS[name].name == name


@pytest.mark.parametrize("name", ["generik", "", "Generic", "mine:Mine"])
def test_an_unknown_name_is_told_what_is_known(name):
    meant = " did you mean generic?" if name.casefold().startswith("generi") else ""
    known = f"{', '.join(PROTOCOLS)}, or path/to/file.py:Class"
    assert why_not(name) == f"unknown protocol {name!r};{meant} known: {known}"


def test_a_class_of_a_file_is_found_by_path_and_name(file):
    kind = find(file(ONE) + ":Mine")
    assert (kind.__name__, kind.name) == ("Mine", "mine")
    assert issubclass(kind, Protocol)


def test_the_only_class_of_a_file_need_not_be_named(file):
    assert find(file(ONE)).name == "mine"


def test_an_imported_class_is_not_the_files_own(file):
    name = file(ONE) + ":Null"
    assert why_not(name) == "protocol file 'mine.py' has no protocol class 'Null'; it defines: Mine"


def test_a_path_may_be_absolute_and_lie_in_folders(file, tmp_path):
    file(ONE, "a/b/deep.py")
    assert find("a/b/deep.py:Mine").name == find(f"{tmp_path}/a/b/deep.py:Mine").name == "mine"


def test_the_same_name_in_two_folders_is_two_protocols(file):
    file(ONE, "a/same.py")
    file(ONE.replace('"mine"', '"other"'), "b/same.py")
    assert [find(f"{folder}/same.py").name for folder in ("a", "b", "a")] == ["mine", "other", "mine"]


def test_a_file_named_like_a_module_of_python_hides_nothing(file):
    import json

    find(file(ONE, "json.py"))
    import json as again

    assert again is json
    assert again.dumps([1]) == "[1]"


def test_a_file_may_use_dataclasses_with_late_annotations(file):
    text = "from __future__ import annotations\nfrom dataclasses import dataclass\n" + ONE + (
        "\n\n@dataclass(frozen=True)\nclass Area:\n    base: int\n    size: int = 0\n"
    )
    assert find(file(text)).name == "mine"


def test_a_missing_file(file, tmp_path):
    here, beside = tmp_path / "no/where.py", Path(__file__).parent / "no/where.py"
    said = why_not("no/where.py:Mine")
    assert said == f"protocol file 'no/where.py' does not exist; looked at {here}, {beside}"
    absolute = tmp_path / "mine.py"
    assert why_not(str(absolute)) == f"protocol file '{absolute}' does not exist; looked at {absolute}"


def test_a_folder_is_no_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.py").mkdir()
    assert why_not("folder.py:Mine").endswith("folder.py' cannot be read: it is a directory, not a file")


def test_a_class_that_is_not_there(file):
    assert why_not(file(ONE) + ":Yours") == "protocol file 'mine.py' has no protocol class 'Yours'; it defines: Mine"


@pytest.mark.parametrize("text", ["", "class Mine:\n    pass\n", "Mine = 3\n"])
def test_a_file_without_a_protocol(file, text):
    name = file(text)
    assert why_not(name + ":Mine") == "protocol file 'mine.py' has no protocol class 'Mine'; it defines: none"
    assert why_not(name) == "protocol file 'mine.py' names no class; it defines: none"


def test_a_file_with_two_protocols_must_say_which(file):
    name = file(ONE + "\n\nclass Other(Mine):\n    name = 'other'\n")
    assert why_not(name) == "protocol file 'mine.py' names no class; it defines: Mine, Other"
    assert find(name + ":Other").name == "other"


def test_a_syntax_error_says_where(file):
    name = file("x = 1\nclass Mine(:\n")
    assert why_not(name + ":Mine") == (
        "protocol file 'mine.py' does not load: SyntaxError: invalid syntax (mine.py, line 2)"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("import no_such_module_here\n", "ModuleNotFoundError: No module named 'no_such_module_here'"),
        ("1 / 0\n", "ZeroDivisionError: division by zero"),
        ("raise ValueError('first\\nsecond')\n", "ValueError: first second"),
        ("raise SystemExit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_file_that_fails_while_it_loads(file, text, why):
    assert why_not(file(text) + ":Mine") == f"protocol file 'mine.py' does not load: {why} (mine.py:1)"


def test_a_file_that_is_not_text(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_bytes(b"\xff\xfe\0\0")
    assert why_not("mine.py:Mine").startswith("protocol file 'mine.py' does not load: ")


def test_the_third_protocol_is_found_wherever_it_lies(tmp_path):
    shutil.copy(DATA / "third.py", tmp_path / "elsewhere.py")
    assert find(f"{tmp_path / 'elsewhere.py'}:RegisterArray").name == "register_array"


def test_an_unknown_mitigation_is_refused_with_those_that_are_known():
    with pytest.raises(WorkbenchError) as caught:
        find("per_feature")((), mitigations=["copy-once"])
    known = ", ".join(find("per_feature").mitigations_known)
    assert str(caught.value) == f"protocol per_feature has no mitigation 'copy-once'; known: {known}"
