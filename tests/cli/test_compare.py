"""``workbench compare`` prints the tidy table in four formats, with the same bytes in each run."""

import csv
import io
import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import workbench
from workbench.cli import main
from workbench.lifecycle import EVENTS
from workbench.measure import METRICS

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "compare"
THIRD = Path(__file__).with_name("third_protocol.py")
MAKE = runpy.run_path(str(GOLDEN / "make.py"))
KEYS = ["protocol", "event", "metric", "value", "unit", "engine", "vcpus", "features"]


def records(capsys, *options):
    assert main(["compare", "--format", "json", *options]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(("form", "suffix"), MAKE["FORMATS"].items())
def test_golden(form, suffix):
    wanted = (GOLDEN / f"compare.{suffix}").read_text()
    assert MAKE["output"](form) == wanted.replace("workbench 0.1.0", f"workbench {workbench.__version__}")


def test_the_golden_text_fits_into_a_mail():
    assert max(map(len, (GOLDEN / "compare.txt").read_text().splitlines())) <= 72


def test_json_is_flat_records_with_exactly_these_keys(capsys):
    found = records(capsys, "--vcpus", "2")
    assert all(list(record) == KEYS for record in found)
    assert {record["engine"] for record in found} == {"simulate"}
    assert {record["protocol"] for record in found} == {"generic", "per_feature"}
    assert {record["event"] for record in found} == set(EVENTS)
    assert {record["metric"] for record in found} == set(METRICS)
    assert all(isinstance(r["value"], str if r["unit"] == "word" else int) for r in found)


def test_the_boot_of_64_vcpus(capsys):
    found = records(capsys, "--events", "boot", "--metrics", "wrmsr_exits,state_bytes")
    values = {(r["protocol"], r["metric"]): r["value"] for r in found}
    assert values["per_feature", "wrmsr_exits"] == 321
    assert values["per_feature", "state_bytes"] == 64 * 146
    assert values["generic", "wrmsr_exits"] == 258


def test_csv_says_the_same_as_json(capsys):
    options = ["--vcpus", "3", "--events", "boot,migrate"]
    found = records(capsys, *options)
    assert main(["compare", "--format", "csv", *options]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert rows == [{key: str(value) for key, value in record.items()} for record in found]


def test_values_may_be_repeated_or_separated_by_commas(capsys):
    a = records(capsys, "--vcpus", "2", "--protocols", "generic,null", "--events", "boot,migrate")
    b = records(
        capsys, "--vcpus", "2", "--protocols", "generic", "--protocols", "null", "--events", "boot",
        "--events", "migrate",
    )  # fmt: skip
    assert a == b


def test_features_are_named_in_their_order(capsys):
    found = records(capsys, "--vcpus", "2", "--events", "boot", "--features", "steal_time,kvmclock")
    assert {record["features"] for record in found} == {"kvmclock,steal_time"}


def test_a_cost_stands_in_its_own_rows(capsys):
    options = ("--vcpus", "2", "--events", "boot", "--cost-model", "skylake-2020", "--metrics", "cost_cycles")
    found = records(capsys, *options)
    assert [(r["metric"], r["value"], r["unit"]) for r in found] == [
        ("cost_cycles", None, "cycles (model skylake-2020)"),
        ("cost_cycles", 11 * 1529, "cycles (model skylake-2020)"),
    ]
    assert main(["compare", *options]) == 0
    text = capsys.readouterr().out
    assert "unknown" in text
    assert "Wanpeng Li" in text


@pytest.mark.parametrize("protocols", ["generic,per_feature", "generic,per_feature,null,generic+copy-once"])
def test_the_text_fits_into_a_mail(capsys, protocols):
    assert main(["compare", "--protocols", protocols, "--cost-model", "nested-2019"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 72 and line.isascii() and "\t" not in line for line in lines)
    assert any("simulated, not measured on hardware" in line for line in lines)


def test_the_command_at_the_end_gives_the_same_text(capsys):
    assert main(["compare", "--vcpus", "3", "--events", "boot", "--seed", "5", "--features", "pv_eoi"]) == 0
    text = capsys.readouterr().out
    command = text.partition("command: ")[2].replace("\\\n", "").split()
    assert command[0] == "workbench"
    assert main(command[1:]) == 0
    assert capsys.readouterr().out == text


def test_a_third_protocol_gets_the_same_tables(capsys):
    found = records(capsys, "--vcpus", "2", "--protocols", f"generic,{THIRD}:Packed,{THIRD}:Packed+nothing")
    by_protocol = {}
    for record in found:
        by_protocol.setdefault(record["protocol"], []).append((record["event"], record["metric"]))
    assert list(by_protocol) == ["generic", "packed", "packed+nothing"]
    assert by_protocol["generic"] == by_protocol["packed"] == by_protocol["packed+nothing"]
    boot = {r["metric"]: r["value"] for r in found if r["protocol"] == "packed" and r["event"] == "boot"}
    assert boot["wrmsr_exits"] == boot["areas"] == 4  # async_pf and steal_time of two vCPUs
    assert boot["state_new_interfaces"] == 1
    assert main(["compare", "--vcpus", "2", "--protocols", str(THIRD)]) == 0
    assert "State after boot: packed" in capsys.readouterr().out


def test_output_is_a_file(tmp_path, capsys):
    path = tmp_path / "out.json"
    assert main(["compare", "--vcpus", "2", "--format", "json", "--output", str(path)]) == 0
    assert capsys.readouterr().out == ""
    assert json.loads(path.read_text()) == records(capsys, "--vcpus", "2")


def test_one_vcpu_leaves_out_what_needs_two(capsys):
    assert main(["compare", "--vcpus", "1"]) == 0
    text = capsys.readouterr().out
    assert "left out, needs 2 vCPUs: cpu-hotplug" in text
    assert "1 vCPU, " in text


def test_a_reader_that_has_seen_enough_is_no_error():
    program = (
        f"{sys.executable} -m workbench compare --vcpus 2 --format json | head -n 1; echo ${{PIPESTATUS[0]}}"
    )
    run = subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, check=True, cwd=GOLDEN.parents[2]
    )
    assert [line for line in run.stderr.splitlines() if not line.startswith("workbench: events: ")] == []
    assert run.stdout == "[\n0\n"
