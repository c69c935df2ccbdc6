"""``workbench explore`` and ``workbench matrix``: their output and their error messages."""

import csv
import json

import pytest

from tests.hostile.told import told
from workbench.cli import main


def said(capsys, *argv):
    status = main(argv)
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_explore_as_json(capsys):
    status, out, _ = said(capsys, "explore", "generic", "--events", "descriptor-race", "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert (found["protocol"], found["verdict"]) == ("generic", "FAILS")
    assert {"states", "transitions", "depth", "bytes_per_state"} <= set(found)
    assert "seconds" not in out
    _, timed, _ = said(capsys, "explore", "generic", "--events", "descriptor-race", "--format", "json", "--timing")
    assert json.loads(timed)["seconds"] >= json.loads(timed)["explorations"][0]["seconds"] > 0
    by_code = {finding["code"]: finding for finding in found["findings"]}
    assert set(by_code) == {"F05", "F15"}
    assert by_code["F05"]["steps"][-1]["step"].startswith("load kvm_memory_area")


def test_explore_as_text_and_csv(capsys):
    argv = ("explore", "generic", "--events", "boot,ignore-msrs,i386-edge", "--property", "false-success,S01")
    _, text, _ = said(capsys, *argv)
    assert "boot (1 vCPU, steal_time): HOLDS" in text
    assert "false success (F04): " in text
    assert "registers (S01): never happens" in text
    assert max(map(len, text.splitlines())) <= 72
    _, table, _ = said(capsys, *argv, "--format", "csv")
    rows = list(csv.DictReader(table.splitlines()))
    assert [(row["event"], row["property"], row["verdict"]) for row in rows] == [
        ("boot", "F04", "HOLDS"),
        ("boot", "S01", "HOLDS"),
        ("ignore-msrs", "F04", "FAILS"),
        ("ignore-msrs", "S01", "NOT EXERCISED"),
        ("i386-edge", "F04", "NOT EXERCISED"),
        ("i386-edge", "S01", "FAILS"),
    ]


def test_mitigations_are_switched_on(capsys):
    argv = ("explore", "generic", "--events", "descriptor-race", "--property", "F05", "--trace", "none")
    assert "FAILS" in said(capsys, *argv)[1]
    assert said(capsys, *argv, "--mitigations", "copy-once")[1].startswith("generic+copy-once: HOLDS")


def test_a_replay_file_is_written(capsys, tmp_path):
    file = tmp_path / "replayed.py"
    argv = ("explore", "generic", "--events", "descriptor-race", "--trace", "replay", "-o", str(file))
    assert said(capsys, *argv) == (0, "", "")
    assert "property='F05'" in file.read_text()
    status, _, err = said(capsys, "explore", "generic", "--events", "boot", "--trace", "replay")
    assert (status, err) == (2, "workbench: no finding with a trace: there is nothing to replay\n")


def test_a_search_that_needs_too_much_memory_is_bounded(capsys):
    size = ("--vcpus", "2", "--property", "F01")
    _, out, _ = said(capsys, "explore", "generic", "--events", "kexec", *size, "--max-memory", "1")
    assert "kexec (2 vCPUs, steal_time): BOUNDED" in out
    assert "search stopped: limit of 1048576 bytes; states not visited may still fail" in out


def test_a_limit_is_said(capsys):
    _, out, _ = said(capsys, "explore", "generic", "--events", "boot", "--max-states", "20")
    assert "generic: BOUNDED" in out
    assert "search stopped: limit of 20 states; states not visited may still fail" in out


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (("explore", "nosuch"), "unknown protocol 'nosuch'"),
        (("explore", "generic", "--events", "nosuch"), "unknown event 'nosuch'"),
        (("explore", "generic", "--property", "F99"), "unknown property 'F99'"),
        (("explore", "generic", "--features", "nosuch"), "unknown feature 'nosuch'"),
        (("explore", "generic", "--mitigations", "x"), "protocol 'generic' has no mitigation 'x'"),
        (("explore", "generic", "--vcpus", "0"), "argument --vcpus: 0 is out of range; allowed: 1 to 8"),
        (("explore", "generic", "--vcpus", "1", "--events", "descriptor-race"), "event 'descriptor-race' needs"),
        (("matrix", "--mitigations", "x"), "unknown mitigation 'x'"),
        (("matrix", "--vcpus", "1", "--events", "cpu-unplug"), "none of the events can happen at these sizes"),
    ],
)
def test_mistakes_are_one_line(capsys, argv, line):
    status, out, err = said(capsys, *argv)
    assert (status, out) == (2, "")
    assert told(err)[0].startswith(line)


def test_matrix_as_json(capsys):
    argv = ("matrix", "--events", "boot,migrate", "--features", "steal_time", "--vcpus", "1", "--jobs", "1")
    status, out, _ = said(capsys, *argv, "--property", "F02,S01", "--format", "json")
    found = json.loads(out)
    assert status == 0
    assert {"protocol", "event", "property", "verdict", "states", "steps"} <= set(found[0])
    verdicts = {(cell["protocol"], cell["event"], cell["property"]): cell["verdict"] for cell in found}
    assert len(verdicts) == 8
    assert verdicts["generic", "migrate", "F02"] == "FAILS"
    assert verdicts["per_feature", "migrate", "F02"] == "HOLDS"


def test_matrix_before_and_after_mitigations(capsys):
    argv = ("matrix", "--protocols", "generic", "--events", "migrate", "--features", "steal_time", "--jobs", "1")
    _, out, _ = said(capsys, *argv, "--mitigations", "carry-registry", "--vcpus", "1")
    assert "migrate: lost registration FAILS -> HOLDS" in out
    assert "price at 64 vCPUs" in out
    assert max(map(len, out.splitlines())) <= 72
    assert out.isascii()


def test_symmetry_merges_and_says_what(capsys):
    argv = ("explore", "generic", "--events", "boot", "--vcpus", "2", "--symmetry")
    _, out, err = said(capsys, *argv, "--trace", "none")
    assert "states up to exchange of vCPUs 0, 1, which stand for " in out
    assert err == ""
    _, out, _ = said(capsys, *argv, "--format", "json")
    (merged,) = json.loads(out)["explorations"]
    _, out, _ = said(capsys, *argv[:-1], "--format", "json")
    (every,) = json.loads(out)["explorations"]
    assert merged["interchangeable"] == [0, 1]
    assert merged["states"] < merged["stands_for"] == every["states"]
    assert merged["verdicts"] == every["verdicts"]
    assert "interchangeable" not in every


def test_symmetry_that_is_not_there_is_said(capsys):
    argv = ("explore", "null", "--events", "crash,encrypted", "--vcpus", "2", "--symmetry", "--trace", "none")
    status, out, err = said(capsys, *argv)
    assert status == 0
    assert out.count("no vCPUs are interchangeable: nothing is merged") == 2
    lines = err.splitlines()
    assert lines[:2] == [
        "workbench: crash: vCPU 1 is not treated like vCPU 0: start teardown (kernel 0) on vCPU 0",
        "workbench: crash: no two vCPUs are alike",
    ]
    assert lines[2].startswith("workbench: encrypted: vCPUs 0, 1 are not interchangeable: where one has 'store ")
    assert lines[2].endswith("boot (kernel 0) on vCPU 0 has 'exit: VMCALL 12(0x100000, 1, 0)'")
    assert len(lines) == 3
