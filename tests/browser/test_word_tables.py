"""Tables of words in a browser: the register map, and simulated beside measured."""

import pytest

from workbench.measure.on_kvm import kvm_agreement, measured_file, validation
from workbench.present.text.register_writes import writes
from workbench.present.web import page, register_map, register_writes, simulated_and_measured


@pytest.fixture(scope="module")
def registers():
    return register_map()


@pytest.fixture(scope="module")
def measured():
    found = measured_file.all_measured_files()[0]
    return kvm_agreement.beside(found.events, found.host["kernel"])


def test_the_register_map_says_what_the_survey_of_register_values_says(open_page, registers):
    """The map tries each value by hand; the survey, which a real KVM also ran, is another program."""
    view = open_page(page("registers", [registers]))
    rows = {row["name"]: row["cells"] for row in registers.data["rows"]}
    said = {cell["word"] for cells in rows.values() for cell in cells if cell}
    assert said == {"active", "accepted", "off", "silent", "refused", "refused, kept"}
    for one in validation.all_simulated():
        words = [cell for cell in rows[one.register] if cell and f"WRMSR {one.value}:" in cell["why"]]
        assert words, one
        assert all((cell["word"].startswith("refused")) == (one.guest == "fault") for cell in words), one
    assert view.locator("tbody .pvw-word").count() == sum(cell is not None for cells in rows.values() for cell in cells)


def test_a_cell_is_explained_by_keys(open_page, registers):
    view = open_page(page("registers", [registers]))
    view.locator("tbody .pvw-word").first.focus()
    view.keyboard.press("ArrowDown")
    view.keyboard.press("ArrowDown")
    assert view.locator(".pvw-explained").inner_text().startswith("STEAL_TIME, zero: off.")


def test_only_the_registers_to_worry_about(open_page, registers):
    view = open_page(page("registers", [registers]))
    view.get_by_label("only registers").check()
    names = view.locator("tbody th").all_inner_texts()
    assert names == ["SYSTEM_TIME_NEW", "WALL_CLOCK_NEW", "STEAL_TIME", "ASYNC_PF_EN"]


def test_writes_are_shown_as_the_table_of_writes_has_them(open_page):
    done = [("STEAL_TIME", 0x1001), ("POLL_CONTROL", 2), ("STEAL_TIME", 0x1003)]
    view = open_page(page("writes", [register_writes(done)]))
    shown = [row.locator("th, td").all_inner_texts() for row in view.locator("tbody tr").all()]
    assert shown == [[str(cell) for cell in row] for row in writes(done).rows]
    assert [row[2] for row in shown] == ["handled", "fault", "fault"]
    assert view.locator(".pvw-spoken").inner_text() == "2 of 3 writes led to an area that the host updates."


def test_simulated_and_measured_stand_side_by_side_under_their_own_labels(open_page, measured):
    table = simulated_and_measured(measured, "every event")
    view = open_page(page("measured", [table]))
    heads = view.locator("thead th").all_inner_texts()[1:]
    assert [head.split(": ")[1] for head in heads] == ["simulated", "measured"] * (len(heads) // 2)
    assert view.locator("tbody tr:not(.pvw-group)").count() == len({line.event for line in measured})
    view.get_by_label("only where they differ").check()
    differing = {line.event for line in measured if line.difference}
    assert set(view.locator("tbody tr:not(.pvw-group) th").all_inner_texts()) == differing
