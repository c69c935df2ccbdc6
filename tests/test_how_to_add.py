"""Follows ARCHITECTURE, "How to add something": one file, put where the table says, is found by every command."""

import re
import shutil

import pytest

from tests.additions.house import ROOT, House
from workbench.protocols import FIRST, PROTOCOLS

ONE = ("--vcpus", "1", "--features", "steal_time")


@pytest.fixture
def house(tmp_path):
    return House(tmp_path)


def table():
    """Return the table in ARCHITECTURE as {what to add: what to write}."""
    text = (ROOT / "ARCHITECTURE.md").read_text()
    section = text.split("## How to add something")[1].split("## ")[0]
    return {row[0]: row[1] for row in re.findall(r"^\| (.+?) \| (.+?) \|", section, re.MULTILINE)}


def test_the_table_asks_for_one_file_each():
    written = table()
    assert set(written) >= {
        "a protocol", "a protocol that ships", "a feature", "a lifecycle event", "a failure mode", "a subcommand",
    }  # fmt: skip
    assert not [what for what, write in written.items() if "__init__" in write], "no second place to edit"
    folders = {folder for write in written.values() for folder in re.findall(r"`([\w/]+)/`", write)}
    assert folders >= {"protocols", "features", "lifecycle", "checking/failures", "commands"}
    assert all((ROOT / "workbench" / folder).is_dir() for folder in folders)


def test_a_protocol_is_one_file_anywhere(house, tmp_path):
    place = tmp_path / "elsewhere" / "mine.py"
    place.parent.mkdir()
    shutil.copy(ROOT / "tests/cli/third_protocol.py", place)
    named = f"{place}:Packed"
    assert house.values("fate", "--protocols", f"{named},null", "--events", "boot", *ONE) == {
        "packed": "registered", "null": "refused",
    }  # fmt: skip
    assert house.records("explore", named, "--events", "boot", *ONE)["verdict"] == "HOLDS"
    assert house.verdicts("--protocols", named, "--events", "boot", *ONE)["packed", "F04"] == "HOLDS"
    assert house.names("protocol") == list(PROTOCOLS)


def test_a_protocol_that_ships_is_the_same_file_in_its_folder(house):
    house.add(ROOT / "tests/cli/third_protocol.py", "protocols")
    names = house.names("protocol")
    assert [name for name in names if name != "packed"] == list(PROTOCOLS)
    assert names.index("packed") >= len(FIRST)
    assert house.values("fate", "--protocols", "packed", "--events", "boot", *ONE) == {"packed": "registered"}
    assert house.records("explore", "packed+nothing", "--events", "boot", *ONE)["verdict"] == "HOLDS"
    assert house.verdicts("--protocols", "packed", "--events", "boot", *ONE)["packed", "S01"] == "HOLDS"


def test_a_lifecycle_event(house):
    before = house.names("event")
    house.add("sleepy_vmm.py", "lifecycle")
    assert house.names("event") == [*before, "sleepy-vmm"]
    fates = house.values("fate", "--events", "sleepy-vmm", *ONE)
    assert fates == {"generic": "registered", "per_feature": "registered"}
    (explored,) = house.records("explore", "generic", "--events", "sleepy-vmm", *ONE)["explorations"]
    assert (explored["event"], explored["verdict"]) == ("sleepy-vmm", "HOLDS")
    verdicts = house.verdicts("--protocols", "generic", "--events", "sleepy-vmm", *ONE)
    assert set(verdicts.values()) == {"HOLDS", "NOT EXERCISED"}


def test_a_failure(house):
    house.add("nobody_registers.py", "checking/failures")
    verdicts = house.verdicts("--events", "boot", *ONE)
    assert list(dict.fromkeys(code for _, code in verdicts)) == sorted({code for _, code in verdicts})
    assert {protocol: verdicts[protocol, "F90"] for protocol in ("generic", "per_feature")} == {
        "generic": "FAILS", "per_feature": "FAILS",
    }  # fmt: skip
    assert [word for (_, code), word in verdicts.items() if code == "F04"] == ["HOLDS", "HOLDS"]
    said = house.workbench("explore", "generic", "--events", "boot", "--property", "something-is-served", *ONE)
    assert "something is served (F90): " in said
    assert house.verdicts("--protocols", "null", "--events", "boot", *ONE)["null", "F90"] == "HOLDS"


def test_a_subcommand(house):
    house.add("hello.py", "commands")
    assert re.search(r"^ +hello +greet the protocols$", house.workbench("--help"), re.MULTILINE)
    assert house.workbench("hello") == f"hello, {', '.join(PROTOCOLS)}\n"


@pytest.mark.parametrize(
    ("file", "folder", "name"),
    [
        ("tests/additions/pv_sched.py", "features", "pv_sched"),
        ("tests/additions/sleepy_vmm.py", "lifecycle", "sleepy-vmm"),
        ("tests/additions/nobody_registers.py", "checking/failures", "F90"),
        ("tests/cli/third_protocol.py", "protocols", "packed"),
    ],
)
def test_two_of_one_name_are_refused_in_one_line(house, file, folder, name):
    for called in ("first.py", "second.py"):
        shutil.copy(ROOT / file, house.top / "workbench" / folder / called)
    with pytest.raises(AssertionError, match=f"^workbench: two are called '{name}': .*\n$"):
        house.workbench("matrix", "--events", "boot", *ONE)


def test_an_exercise(house):
    house.add("count_exits.py", "classroom/exercises")
    asked = "from workbench.classroom import EXERCISES, judged; print([*EXERCISES][-1], *judged('count-exits', {})[:2])"
    assert house.python(asked.format(1)) == "count-exits True predicted 1, counted 1\n"
    assert house.python(asked.format(2)) == "count-exits False predicted 2, counted 1\n"
