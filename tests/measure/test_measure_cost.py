"""Cost models: published figures with their source, checked when read, never mixed with counts."""

import json

import pytest

from workbench.errors import WorkbenchError
from workbench.lifecycle import EVENTS
from workbench.measure import compare, cost, measured, variant
from workbench.measure.comparison.metrics import COST

MODEL = {
    "name": "mine",
    "title": "my machine",
    "kernel_exit_cycles": 1000,
    "user_exit_cycles": 10_000,
    "memory_access_cycles": 7,
    "hardware": "a machine",
    "date": "2026-11-23",
    "source": "a notebook",
    "confidence": "measured once",
    "stands_for": "everything",
}


def written(tmp_path, **changes):
    path = tmp_path / "model.json"
    path.write_text(
        json.dumps({key: value for key, value in (MODEL | changes).items() if value != "left out"})
    )
    return str(path)


@pytest.mark.parametrize("name", cost.known())
def test_models_that_come_along_name_themselves_and_their_source(name):
    model = cost.load(name)
    assert model.name == name
    assert "commit" in model.source or "mail" in model.source or "thread" in model.source
    assert model.user_exit_cycles is None or model.user_exit_cycles > model.kernel_exit_cycles > 0


def test_a_cost_is_exits_times_cycles(tmp_path):
    model = cost.load(written(tmp_path))
    run = measured(variant("generic"), tuple(cost_features()), 2, EVENTS["boot"])
    count = run.counts
    expected = 1000 * count["kernel_exits"] + 10_000 * count["user_exits"]
    expected += 7 * (count["host_loads"] + count["host_stores"])
    assert count["user_exits"] == 1
    assert model.cost(run) == expected


def cost_features():
    from workbench.features import choose

    return choose()


def test_costs_have_a_unit_of_their_own(tmp_path):
    model = cost.load(written(tmp_path))
    table = compare(["per_feature"], ["boot"], vcpus=2, cost_model=model)
    rows = table[table["metric"] == COST]
    assert list(rows["unit"]) == ["cycles (model mine)"]
    assert not table[table["metric"] != COST]["unit"].str.contains("cycles").any()


def test_without_a_model_there_is_no_cost():
    assert COST not in set(compare(["generic"], ["boot"], vcpus=2)["metric"])


def test_what_a_model_does_not_know_it_does_not_guess(tmp_path):
    model = cost.load(written(tmp_path, user_exit_cycles=None))
    table = compare(["generic", "per_feature"], ["boot"], vcpus=2, cost_model=model)
    values = table[table["metric"] == COST]["value"].tolist()
    assert values[0] is None
    assert isinstance(values[1], int)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "left out"}, "lacks 'source'"),
        ({"wrmsr": 3}, "has the unknown key 'wrmsr'"),
        (
            {"kernel_exit_cycles": -1},
            "kernel_exit_cycles is -1; allowed: cycles as a whole number, 0 or more$",
        ),
        (
            {"kernel_exit_cycles": None},
            "kernel_exit_cycles is None; allowed: cycles as a whole number, 0 or more$",
        ),
        ({"user_exit_cycles": 1.5}, "user_exit_cycles is 1.5; allowed: .*, or null for unknown$"),
        ({"user_exit_cycles": True}, "user_exit_cycles is True"),
        ({"source": " "}, "source must be a non-empty text"),
    ],
)
def test_a_model_that_is_not_one(tmp_path, changes, message):
    with pytest.raises(WorkbenchError, match=message):
        cost.load(written(tmp_path, **changes))


def test_files_that_are_no_model(tmp_path):
    with pytest.raises(WorkbenchError, match="cannot be read: No such file"):
        cost.load(str(tmp_path / "none.json"))
    (tmp_path / "bad.json").write_text("{")
    with pytest.raises(WorkbenchError, match="not JSON: "):
        cost.load(str(tmp_path / "bad.json"))
    (tmp_path / "list.json").write_text("[]")
    with pytest.raises(WorkbenchError, match="is not a JSON object"):
        cost.load(str(tmp_path / "list.json"))
    with pytest.raises(WorkbenchError, match=r"^unknown cost model 'none'; known: .*kvm-unit-tests-2012"):
        cost.load("none")
