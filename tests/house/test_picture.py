"""The picture in ARCHITECTURE.md matches the imports, and the functions that draw it are correct."""

import pytest

from tests.house.picture import PAGE, drawn, picture, put, rooms, rows, sentence


def test_the_page_shows_what_the_imports_say():
    page = PAGE.read_text()
    assert put(page, picture()) == page, "draw it anew: python -m tests.house.picture --write"


HOUSE = {"roof": {"left", "cellar"}, "left": {"cellar"}, "right": set(), "cellar": set()}


def test_a_room_stands_above_all_that_it_imports():
    assert rows(HOUSE) == [["roof"], ["left"], ["cellar", "right"]]


def test_rooms_in_a_circle_have_no_rows():
    with pytest.raises(RecursionError):
        rows(HOUSE | {"cellar": {"roof"}})


def test_rooms_are_named_by_their_first_part():
    edges = {"p": {}, "p.a.x": {"p.a.y": "", "p.b": ""}, "p.a.y": {}, "p.b": {"p": ""}, "p.__main__": {"p.b": ""}}
    assert rooms(edges) == {"a": {"b"}, "b": set()}


def test_boxes_stand_side_by_side():
    assert [line.strip() for line in drawn(["errors", "paths"])] == [
        "+--------+   +-------+",
        "| errors |   | paths |",
        "+--------+   +-------+",
    ]
    assert "| failures |" in drawn(["checking"])[2]


@pytest.mark.parametrize(
    ("docstring", "first"),
    [
        ("One thing. Another.", "One thing"),
        ("One thing\n  in two lines.\n\nAnother.", "One thing in two lines"),
        ("Numbered R1.. at the top, ``a.b``. Another.", "Numbered R1.. at the top, ``a.b``"),
    ],
)
def test_the_first_sentence_is_found(docstring, first, tmp_path):
    path = tmp_path / "room.py"
    path.write_text(f'"""{docstring}"""\n')
    assert sentence(path) == first


def test_a_page_without_the_comments_is_refused():
    with pytest.raises(AssertionError, match="has no line"):
        put("# Architecture\n", "picture")
