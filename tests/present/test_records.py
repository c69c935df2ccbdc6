"""Flat records as JSON and CSV, and the labels in them."""

import csv
import io
import json

import numpy
import pandas
import pytest

from workbench.measure.label import Label, joined
from workbench.present import records

FOUND = [{"event": "boot", "exits": 3, "cost": None}, {"event": 'a "b", c', "exits": 0, "cost": 1.5}]


def test_json_has_a_line_for_each_record():
    text = records.as_json(FOUND)
    assert json.loads(text) == FOUND
    assert text.splitlines()[1] == '{"event": "boot", "exits": 3, "cost": null},'
    assert records.as_json(iter(())) == "[]\n"


def test_csv_says_the_same_and_leaves_empty_what_is_unknown():
    text = records.as_csv(iter(FOUND))
    assert text.splitlines()[:2] == ["event,exits,cost", "boot,3,"]
    assert [row["event"] for row in csv.DictReader(io.StringIO(text))] == [one["event"] for one in FOUND]


def test_columns_can_be_chosen_and_stand_without_a_record():
    assert records.as_csv(FOUND, ("exits",)) == "exits\n3\n0\n"
    assert records.as_csv([], ("exits",)) == "exits\n"


def test_a_column_is_not_lost_by_chance():
    with pytest.raises(ValueError, match="more"):
        records.as_csv([*FOUND, {"event": "boot", "more": 1}])


def test_a_table_gives_its_rows():
    table = pandas.DataFrame({"event": ["boot"], "exits": numpy.array([7], numpy.int64)})
    assert records.as_json(records.of_frame(table)) == '[\n{"event": "boot", "exits": 7}\n]\n'


@pytest.mark.parametrize("mitigations", [(), ("copy-once",), ("copy-once", "revoke-all")])
def test_a_label_is_read_as_it_is_written(mitigations):
    label = Label("generic", mitigations)
    assert Label.read(str(label)) == label
    assert str(label) == "".join(label.pieces) == "+".join(("generic", *mitigations))
    assert joined(mitigations) == str(label).removeprefix("generic").removeprefix("+")
