"""Explorer and SPIN agree in every number on every protocol, including one written outside the workbench."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from workbench.checking.failures import FAILURES, choose
from workbench.cli import main
from workbench.measure.exploration.crosscheck import SETTINGS, Setting, compared, crosscheck
from workbench.measure.exploration.export import promela_of
from workbench.measure.variants import variant
from workbench.present.text.crosscheck import crosscheck_text
from workbench.protocols import FIRST

THIRD = f"{Path(__file__).parents[1] / 'protocols' / 'data' / 'third.py'}:RegisterArray"
REPAIRED = "generic+carry-registry+quiet-restore+revoke-vm+quiesce"
BOOT = Setting("boot", 1, ("steal_time",))


#: Of these the largest models take half of the time of all; ``make crosscheck`` runs them.
LARGE = ("cpu-unplug-no-teardown", "kexec-no-teardown", "kexec", "memslot-unplug", "migrate-damaged")
CHECKED = [
    pytest.param(name, setting, marks=[pytest.mark.slow] if setting.event in LARGE else [])
    for name in (*FIRST, THIRD)
    for setting in SETTINGS
]


def _called(value):
    return value.rpartition(":")[2] if isinstance(value, str) else value.event


@pytest.mark.spin
@pytest.mark.parametrize(("name", "setting"), CHECKED, ids=_called)
def test_spin_says_the_same(name, setting, to_the_table):
    found = compared(setting.question(variant(name)))
    to_the_table(found)
    assert found.equal, found.opinion
    assert all(record["equal"] for record in found.records())


@pytest.mark.spin
@pytest.mark.parametrize("event", ["migrate-damaged", "kexec"])
def test_spin_says_the_same_of_mitigations(event, to_the_table):
    """Among them a step that waits for other vCPUs and a restore whose result is not checked."""
    (setting,) = (setting for setting in SETTINGS if setting.event == event)
    found = compared(setting.question(variant(REPAIRED)))
    to_the_table(found)
    assert found.equal, found.opinion


@pytest.mark.spin
def test_what_spin_says_is_read_and_not_assumed():
    """A verifier of a different model disagrees: one action removed, one property negated."""
    from workbench.engines.explore import second_opinion

    failures = choose()
    kinds = {failure.code: failure.kind for failure in failures}
    result, text = promela_of(BOOT.question(variant("generic")), failures)
    assert second_opinion(kinds, result, text).agrees
    options = re.findall(r"^:: d_step \{ /\*.*?^ +\}$", text, re.MULTILINE | re.DOTALL)
    fewer = text.replace(options[0], "", 1)
    assert second_opinion(kinds, result, fewer).spin_states < result.states
    turned = re.sub(r"^:: d_step \{ .* -> MET\(1\) \}$", ":: d_step { true -> MET(1) }", text, flags=re.MULTILINE)
    opinion = second_opinion(kinds, result, turned)
    assert opinion.verdicts["F01"] == ("NOT EXERCISED", "FAILS")
    assert opinion.hits["F01"] == (0, result.states)
    assert not opinion.agrees


@pytest.mark.spin
def test_the_texts_say_how_spin_is_run_and_what_it_will_find():
    result, text = promela_of(BOOT.question(variant("per_feature+commit-after-check")), choose())
    heading = text[: text.index("*/")]
    assert "protocol  per_feature+commit-after-check" in heading
    assert f"Expected: {result.states} states, {result.transitions} transitions" in heading
    expected = re.findall(r"property +(\d+)  (\w+)  (\w[A-Z ]*?) +(\d+) states  (\w+) (\S+)", heading)
    assert [(code, kind, name) for _, code, _, _, kind, name in expected] == [
        (f.code, f.kind, f.name) for f in FAILURES.values()
    ]
    assert {code: verdict for _, code, verdict, *_ in expected} == result.verdicts


@pytest.mark.spin
def test_the_command_prints_tables_and_records(capsys):
    arguments = ["crosscheck", "--protocols", "null", "--events", "boot,descriptor-race", "--property", "F01,S01"]
    assert main(arguments) == 0
    assert "2 of 2 models are equal" in " ".join(capsys.readouterr().out.split())
    assert main([*arguments, "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert [(r["event"], r["property"], r["verdict"], r["spin_verdict"], r["equal"]) for r in records] == [
        ("boot", "F01", "NOT EXERCISED", "NOT EXERCISED", True),
        ("boot", "S01", "FAILS", "FAILS", True),
        ("descriptor-race", "F01", "NOT EXERCISED", "NOT EXERCISED", True),
        ("descriptor-race", "S01", "FAILS", "FAILS", True),
    ]
    assert main([*arguments, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert [int(row["states"]) for row in rows] == [record["spin_states"] for record in records]


@pytest.mark.spin
def test_a_difference_is_shown_and_is_status_1(capsys, monkeypatch):
    from workbench.engines.explore.export import spin

    monkeypatch.setattr(spin, "run_spin", _one_state_more(spin.run_spin))
    (found,) = crosscheck([variant("null")], [BOOT], choose(["F01"]))
    assert not found.equal
    assert "NO" in crosscheck_text([found]).split()
    assert main(["crosscheck", "--protocols", "null", "--events", "boot"]) == 1
    assert "0 of 1 models are equal" in " ".join(capsys.readouterr().out.split())


def _one_state_more(run):
    from dataclasses import replace

    def changed(*arguments, **options):
        found = run(*arguments, **options)
        return replace(found, states=found.states + 1)

    return changed


def test_without_spin_one_line_says_what_is_missing(capsys, monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    assert main(["crosscheck", "--protocols", "null", "--events", "boot"]) == 2
    assert capsys.readouterr().err == "workbench: spin is not installed; the Debian package is spin\n"


def test_an_unknown_event_is_refused(capsys):
    assert main(["crosscheck", "--events", "noon"]) == 2
    assert capsys.readouterr().err.startswith("workbench: unknown event 'noon'\nknown:\n  boot ")
