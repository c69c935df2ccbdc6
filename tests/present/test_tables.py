"""Text tables: 72 columns of ASCII, nothing cut off."""

from hypothesis import given
from hypothesis import strategies as st

from workbench.present.text.table import WIDTH, Column, Table, as_markdown, as_text

words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=12)


def test_numbers_stand_right_and_words_left():
    table = Table("T", [Column("name"), Column("count")], [["a", 1], ["bcd", 100], ["e", None]])
    assert as_text(table).splitlines() == [
        "T", "-", "", "name    count", "-------------", "a           1", "bcd       100", "e     unknown",
    ]  # fmt: skip


def test_names_of_groups_stand_above_their_columns():
    columns = [Column("event"), Column("fate", "generic"), Column("exits", "generic"), Column("fate", "null")]
    text = as_text(Table("", columns, [["boot", "registered", 258, "refused"]]))
    assert text.splitlines() == [
        "       generic            null",
        "event  fate        exits  fate",
        "---------------------------------",
        "boot   registered    258  refused",
    ]


def test_a_long_name_is_broken_before_a_plus():
    table = Table("", [Column("metric"), Column("", "generic+carry-registry")], [["exits", 10]])
    assert as_text(table).splitlines()[:2] == ["                generic", "metric  +carry-registry"]


@given(st.lists(words, min_size=1, max_size=12, unique=True), st.integers(0, 10**12))
def test_every_cell_is_there_and_no_line_is_too_long(names, number):
    columns = [Column("metric"), Column("unit"), *(Column("", name) for name in names)]
    rows = [
        ["exits", "exits", *(number + index for index in range(len(names)))],
        [],
        ["fate", "word", *names],
    ]
    lines = as_text(Table("title", columns, rows, labels=2)).splitlines()
    assert all(len(line) <= WIDTH and line.isascii() and line == line.rstrip() for line in lines)
    found = " ".join(lines).split()
    assert all(str(number + index) in found for index in range(len(names)))
    assert all(name in found for name in names)


def test_what_is_not_ascii_is_escaped():
    text = as_text(Table("µ", [Column("name")], [["ü"]], notes=["→"]))
    assert text.isascii()
    assert "\\xb5" in text
    assert "\\u2192" in text


def test_markdown_has_one_line_for_each_row():
    table = Table("T", [Column("a|b"), Column("n", "group")], [["x", 1], [], ["y", 2]], notes=["Note."])
    assert as_markdown(table) == (
        "## T\n\n| a\\|b | group n |\n| :--- | ---: |\n| x | 1 |\n| y | 2 |\n\nNote.\n"
    )
