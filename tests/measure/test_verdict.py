"""The page that decides: what it says of designs, its ranking, and that the command behind a cell shows the same."""

import json
import re
import shlex
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from tests.rules.designs import slip
from workbench.cli import main
from workbench.errors import WorkbenchError
from workbench.measure.variants import variant
from workbench.measure.verdict.asked import Asked
from workbench.measure.verdict.columns import COLUMNS
from workbench.measure.verdict.law import law
from workbench.measure.verdict.page import page
from workbench.measure.verdict.ranking import criteria, ranking, weights
from workbench.measure.verdict.scope import EVENTS, Scope, pieces
from workbench.measure.verdict.shown import sentences
from workbench.present.text.verdict import verdict_text, why_text

THIRD = f"{Path(__file__).parents[1] / 'protocols' / 'data' / 'third.py'}:RegisterArray"
DESIGNS = ("generic", "per_feature", "papr_vpa", "null", THIRD)
SOME = ("boot", "kexec", "kexec-no-teardown", "crash")


@cache
def shown():
    return page({name: variant(name) for name in DESIGNS}, Scope(("steal_time", "pv_eoi"), SOME[:1], repairs=False))


@cache
def explored():
    return page({name: variant(name) for name in ("generic", "null")}, Scope(("pv_eoi",), SOME))


def cells(label, *columns, of=shown):
    return [of().cells[label][name].text for name in columns]


def test_laws_are_found_by_runs():
    assert str(law(lambda vcpus: 1 + 5 * vcpus)) == "1 + 5V"
    assert str(law(lambda vcpus: vcpus - 1)) == "V - 1"
    assert str(law(lambda vcpus: 0)) == "0"
    assert str(law(lambda vcpus: vcpus)) == "V"
    assert str(law(lambda vcpus: 7)) == "7"
    assert law(lambda vcpus: 1 + 5 * vcpus).at_large == 321
    squares = law(lambda vcpus: vcpus**2)
    assert squares.line is None
    assert str(squares) == "4, 9, 25, 64"
    assert squares.at_large == 64**2, "what designs are ranked by is run, on no line too"


def test_a_line_through_small_sizes_that_bends_before_the_large_one_is_no_law():
    bent = law(lambda vcpus: min(vcpus, 10))
    assert (bent.line, bent.at_large, str(bent)) == (None, 10, "2, 3, 5, 8")


def test_what_the_designs_of_2011_cost():
    columns = ("boot", "kexec", "per area", "lost", "invent", "one more", "beside", "earliest")
    assert cells("generic", *columns) == ["2V", "4V", "1", "36V", "1", "a number", "24", "memory"]
    assert cells("per_feature", *columns) == ["2V", "4V", "1", "0", "0", "a register", "0", "at once"]
    assert cells("null", *columns) == ["0", "0", "-", "0", "0", "nothing", "0", "-"]


def test_a_design_that_cannot_carry_the_features_has_no_areas():
    assert cells("papr_vpa", "boot", "per area", "one more") == ["0", "-", "nothing"]


def test_a_design_of_ones_own_is_a_row():
    assert cells("register_array", "hardware") == ["11/11"]


def test_what_is_left_behind_is_what_the_matrix_says():
    columns = ("kexec-safe", "unaided", "crash-safe", "fails", "repaired", "price")
    generic = cells("generic", *columns, of=explored)
    assert generic[:3] == ["safe", "fails", "fails"]
    assert int(generic[4]) < int(generic[3])
    assert cells("null", *columns, of=explored) == ["-", "-", "-", "2", "-", "-"]
    assert "stray-write" in explored().cells["generic"]["unaided"].seen


def test_every_cell_of_every_column_has_evidence():
    for label, row in shown().cells.items():
        assert list(row) == list(COLUMNS)
        for name, cell in row.items():
            assert cell.text, (label, name)
            assert cell.seen, (label, name)
            assert cell.command[0].startswith("workbench "), (label, name)


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        ("boot", r"exits +(\d+)"),
        ("state", r"state_bytes +bytes +(\d+)"),
        ("shared", r"shared_pages +pages +(\d+)"),
        ("earliest", r"wrmsr_exits"),
        ("hardware", r"can be read back"),
        ("unaided", r"F01|stray"),
        ("one more", r"exit: wrmsr 0x4b564d03"),
    ],
)
def test_the_command_behind_a_cell_runs_and_shows_it(column, expected, capsys):
    cell = explored().cell("generic", column)
    assert main(shlex.split(" ".join(cell.command))[1:]) == 0
    out = capsys.readouterr().out
    assert re.search(expected, out), out
    if column == "boot":  # the law at the size of the command
        assert str(int(cell.rank)) in out


def test_a_ranking_is_the_weighted_mean_of_places():
    found = ranking(shown(), {"migration": 3, "exits": 1})
    assert [one.score for one in found] == sorted(one.score for one in found)
    for one in found:
        assert one.score == pytest.approx((3 * one.places["migration"] + one.places["exits"]) / 4)
    assert found[-1].label == "generic"
    by_exits = ranking(shown(), {"new feature": 1})
    assert len(by_exits) == len(DESIGNS)


def test_sentences_count_what_the_cells_say():
    said = " ".join(sentences(explored()))
    assert "After a kexec, 0 of 1 designs leave something behind." in said
    assert "After a crash, 1 of 1 designs leave something behind: generic." in said
    assert "no interface carries the state of generic" in " ".join(sentences(shown()))


def test_the_text_is_for_a_mail():
    text = verdict_text(explored(), ranking(explored(), {"exits": 1}), {"exits": 1})
    assert [line for line in text.splitlines() if len(line) > 72] == []
    assert text.isascii()
    assert "Weights chosen by the reader: exits 1." in text
    assert "$ workbench matrix --protocols generic --features pv_eoi" in why_text(explored(), "generic", "fails")


def test_every_event_of_the_page_exists_and_every_criterion_can_be_weighed():
    from workbench.lifecycle import choose

    assert len(choose(EVENTS)) == len(EVENTS)
    assert weights(",".join(f"{name}=2" for name in criteria())) == dict.fromkeys(criteria(), 2.0)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("migratoin=3", "did you mean migration"),
        ("exits=0", "a number above 0"),
        ("exits=-1", "a number above 0"),
        ("exits=nan", "a number above 0"),
        ("exits=x", "a number above 0"),
        ("exits=1,exits=2", "weighed twice"),
        ("", "unknown criterion"),
    ],
)
def test_weights_that_are_none_are_refused(text, said):
    with pytest.raises(WorkbenchError, match=said):
        weights(text)


def test_the_command(capsys, tmp_path):
    asked = ["verdict", "null", "--events", "boot", "--features", "steal_time"]
    assert main([*asked, "--format", "json", "--state", str(tmp_path / "kept")]) == 0
    first = capsys.readouterr().out
    assert {record["column"] for record in json.loads(first)} == set(COLUMNS)
    assert main([*asked, "--format", "json", "--state", str(tmp_path / "kept")]) == 0
    assert capsys.readouterr().out == first
    assert main([*asked, "--why", "null:boot"]) == 0
    assert "$ workbench compare --protocols null" in capsys.readouterr().out
    for wrong in (["--why", "boot"], ["--why", "null:bot"], ["--weigh", "x=1"], ["--why", "nul:boot"]):
        assert main([*asked, *wrong]) == 2
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("workbench: ")


def test_long_lists_of_names_are_several_pieces_of_a_command_line():
    found = pieces("--events", EVENTS)
    assert len(found) > 1
    assert max(map(len, found)) <= 70
    assert ",".join(piece.split()[1] for piece in found).split(",") == list(EVENTS)
    assert pieces("--protocols", ["my file.py:Mine"]) == ("--protocols 'my file.py:Mine'",)


def test_quick_explores_each_design_with_its_own_first_feature():
    scope = Scope(events=("boot",), quick=True, repairs=False)
    found = page({name: variant(name) for name in ("papr_vpa", "null")}, scope)
    assert {cell.features for cell in found.asked["papr_vpa"].verdicts} == {"vpa"}
    assert "--features vpa --vcpus 2 --events boot" in " ".join(found.cell("papr_vpa", "fails").command)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("papr_vpa", "a number"), ("diag258", "? hypercall"), ("pci_doorbell", "? device"), ("hyperv", "a register")],
)
def test_where_one_more_feature_is_asked_for(name, expected):
    asked = Asked(variant(name), name, Scope(), (), None)
    assert COLUMNS["one more"].ask(asked).text == expected


def changed(label, **verdict):
    """Return the answers of a design, all of whose verdicts are changed."""
    asked = explored().asked[label]
    cells = tuple(cell._replace(**verdict) for cell in asked.verdicts)
    row = replace(asked, verdicts=cells, repaired=cells)
    return {name: column.ask(row) for name, column in COLUMNS.items()}


def test_what_was_not_searched_to_the_end_is_not_safe_and_not_the_best():
    for word in ("BOUNDED", "BROKE OFF"):
        found = changed("generic", verdict=word)
        for name in ("kexec-safe", "unaided", "crash-safe"):
            assert (found[name].text, found[name].rank) == ("?", None)
        for name in ("fails", "repaired"):
            assert (found[name].text, found[name].rank) == ("0+", None)
            assert "not finished" in found[name].seen


def test_what_never_came_about_is_not_safe():
    found = changed("generic", verdict="NOT EXERCISED")
    assert [found[name].text for name in ("kexec-safe", "unaided", "crash-safe")] == ["-"] * 3


def test_a_design_that_refuses_everything_is_not_safe(tmp_path):
    """It leaves nothing behind because it registers nothing."""
    path = tmp_path / "refusing.py"
    path.write_text(slip(("        gpa = value & ~63\n", "        return FAULT\n        gpa = value & ~63\n")))
    named = f"{path}:Mine"
    row = page({named: variant(named)}, Scope(("steal_time",), SOME, repairs=False)).cells["mine"]
    assert [row[name].text for name in ("kexec-safe", "unaided", "crash-safe")] == ["-"] * 3
    assert row["per area"].text == "-"


def test_memory_of_the_host_is_not_counted_as_nothing_to_share():
    named = {"pvtime": variant("pvtime")}
    cell = page(named, Scope(events=("boot",), quick=True, repairs=False)).cell("pvtime", "shared")
    assert (cell.text, cell.rank) == ("host's", None)


#: What a design that carries nothing may say of its state: that an interface carries it, and that there is none.
LIES = {
    "carried": '[StateEntry(key.cpu, "x", 16, 8, "KVM_GET/SET_MSRS", True, True) for key in entries]',
    "nothing": "[]",
}


@pytest.mark.parametrize("lie", LIES)
def test_what_a_design_says_of_its_state_is_tried(lie, tmp_path):
    path = tmp_path / "liar.py"
    path.write_text(f"{slip()}\n    def state(self, entries, cpus):\n        return {LIES[lie]}\n")
    named = f"{path}:Mine"
    row = page({named: variant(named)}, Scope(("steal_time",), ("boot",), repairs=False)).cells["mine"]
    for name in ("lost", "invent"):
        assert (row[name].text, row[name].rank) == ("untrue", None)
        assert row[name].command[0] == "workbench check"
