"""Pairs of events: the simulator runs all, text shows those that are worse together, the matrix explores surprises."""

import json

import pytest

from workbench.cli import main
from workbench.core.outcome import SEVERITY, Fate, worst
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS, choose
from workbench.measure.comparison.runs import measured
from workbench.measure.exploration.pairs import VCPUS, Pairs
from workbench.measure.variants import variant


def chosen(protocol, *names, features=None):
    found = Pairs(variant(protocol), features).chosen(choose(names))
    return {one.event.name: one for one in found}


def test_what_each_part_does_alone_is_no_surprise():
    assert Pairs(variant("generic")).surprises(*choose(["init+migrate"])) == []
    assert chosen("per_feature", "kexec+migrate", "migrate+kexec", "double-registration+migrate") == {}


def test_a_fate_of_neither_part_surprises():
    assert Pairs(variant("generic"), ["poll_control"]).surprises(*choose(["crash+migrate"])) == [], "no part of boot"
    found = Pairs(variant("generic"), ["steal_time"]).surprises(*choose(["crash+migrate"]))
    assert [one.why for one in found] == ["steal_time of vCPU 1 ends released; alone: stale, lost"]


def test_state_that_no_boot_leaves_surprises_when_the_machine_moves():
    found = chosen("per_feature", "haltpoll+migrate", "haltpoll+init", "haltpoll+haltpoll")
    assert {name: one.why for name, one in found.items()} == {
        "haltpoll+migrate": ("a boot leaves no register 0x4b564d05; then the machine moves",),
        "haltpoll+init": ("a boot leaves no register 0x4b564d05; then INIT",),
    }
    assert {str(one.size) for one in found.values()} == {"1 vCPU: poll_control"}


def test_pairs_that_surprise_alike_stand_for_each_other():
    found = chosen("per_feature", "haltpoll+migrate", "haltpoll+migrate-reordered")
    assert list(found) == ["haltpoll+migrate"]
    assert found["haltpoll+migrate"].alike == 2


@pytest.mark.slow
def test_the_choice_is_small_and_always_the_same():
    once, again = (list(chosen("generic", "all+all", features=["steal_time", "poll_control"]).values()) for _ in "12")
    assert once == again
    assert 5 < len(once) < 40
    assert all(one.event.min_vcpus <= one.size.vcpus <= VCPUS for one in once)


@pytest.mark.slow
def test_the_matrix_explores_them_and_says_so(capsys):
    asked = ["--protocols", "generic,null", "--events", "haltpoll+all,boot", "--jobs", "1", "--property", "F02,S01"]
    assert main(["matrix", *asked]) == 0
    text = capsys.readouterr().out
    assert "generic: of the pairs, simulated with 2 vCPUs, " in text
    assert "\n  haltpoll+migrate (1 vCPU: poll_control; " in text
    assert "\n    a boot leaves no registry 6; then the machine moves\n" in text
    assert main(["matrix", *asked, "--format", "json"]) == 0
    cells = {(c["protocol"], c["event"], c["property"]): c for c in json.loads(capsys.readouterr().out)}
    moved = cells["generic", "haltpoll+migrate", "F02"]
    assert (moved["verdict"], moved["features"], moved["vcpus"]) == ("FAILS", "poll_control", 1)
    assert {event for protocol, event, _ in cells if protocol == "null"} == {"boot"}, "nothing surprises without areas"


def test_compare_shows_those_that_are_worse_together(capsys):
    asked = ["--vcpus", "2", "--events", "init+all,all+init", "--metrics", "fate"]
    assert main(["compare", *asked]) == 0
    text = capsys.readouterr().out
    table = text.split("Events that are worse together")[1].split("The worst fate")[0]
    shown = {tuple(line.split()[:2]) for line in table.splitlines() if len(line.split()) > 1}
    features = choose_features()
    worse = set()
    for event in choose(["init+all", "all+init"]):
        for protocol in ("generic", "per_feature"):
            alone = [measured(variant(protocol), features, 2, part).fate for part in event.parts]
            together = measured(variant(protocol), features, 2, event).fate
            if SEVERITY.index(together) > SEVERITY.index(worst(alone)):
                worse.add(tuple(part.name for part in event.parts))
    assert {pair for pair in shown if pair[0] in EVENTS} == worse
    assert ("memslot-unplug", "init") in worse
    number = len(choose(["init+all", "all+init"]))
    assert f"events: {number} joined events\n" in text
    assert f"in {len(worse)} of {number} joined events" in " ".join(text.split())


def test_events_that_need_more_vcpus_are_left_out_of_all(capsys):
    assert main(["compare", "--vcpus", "1", "--events", "all+init", "--metrics", "fate"]) == 0
    needy = sum(event.min_vcpus > 1 for event in EVENTS.values())
    assert f"left out, need more vCPUs: {needy} joined events" in capsys.readouterr().out or needy <= 40


@pytest.mark.slow
def test_all_pairs_are_simulated_in_less_than_a_minute():
    import time

    begun = time.monotonic()
    fates = {measured(variant("per_feature"), choose_features(), 4, event).fate for event in choose(["all+all"])}
    assert fates > {Fate.REGISTERED, Fate.LOST, Fate.STALE}
    assert time.monotonic() - begun < 60


@pytest.mark.slow
def test_a_report_draws_no_row_for_each_pair(tmp_path, capsys):
    asked = ["--vcpus", "2", "--events", "boot,init+all", "--features", "steal_time,kvmclock", "--no-notebooks"]
    assert main(["report", str(tmp_path / "r"), *asked]) == 0
    assert "Events that are worse together" in (tmp_path / "r/report.txt").read_text()
    assert (tmp_path / "r/fates.png").stat().st_size < 100_000
    assert (tmp_path / "r/comparison.csv").read_text().count("init+migrate,") > 10
