"""What is read from a student's notebook: answer cells by their metadata, wherever they stand, and what is lacking."""

import json
import os
from pathlib import Path

import pytest

from tests.classroom.grading.submissions import answer_cell, answered, cell, check_cell, notebook
from workbench.classroom.grading.submission import Found, Lost, content_of, notebooks_in, read
from workbench.errors import WorkbenchError

ONE, TWO = "predict-exits", "repair"


def answers(text):
    return read(text.encode(), [ONE, TWO]).answers


def test_cells_are_found_wherever_they_stand():
    moved = notebook(check_cell(TWO), answer_cell(TWO, "b"), cell("x = 1"), check_cell(ONE), answer_cell(ONE, "a"))
    assert answers(moved) == {ONE: Found("a", ("b", "x = 1")), TWO: Found("b", ())}


def test_of_copies_the_last_counts():
    copied = notebook(answer_cell(ONE, "first"), answer_cell(ONE, "second"), check_cell(ONE))
    assert answers(copied)[ONE] == Found("second", ("first",), "the last of 2 answer cells")


@pytest.mark.parametrize(
    ("cells", "why"),
    [
        ([check_cell(ONE)], "was deleted"),
        ([cell("answer = 1"), check_cell(ONE)], "has lost its metadata"),
        ([cell("answer = 1"), cell(f'assert check("{ONE}", answer)')], "lost their metadata: copy"),
        ([cell("answer = 1"), cell(f"check('{ONE}', answer)")], "lost their metadata: copy"),
    ],
    ids=["deleted", "without marks", "no marks at all", "other quotes"],
)
def test_what_was_not_found_is_told(cells, why):
    found = answers(notebook(*cells))[ONE]
    assert isinstance(found, Lost)
    assert why in found.why


def test_an_exercise_of_which_there_is_no_trace_is_not_there():
    assert answers(answered({ONE: "answer = 1"})).keys() == {ONE}
    assert answers(notebook(cell("x = 1"))) == {}
    assert read(notebook(cell("", {"workbench": {"exercise": "other", "role": "answer"}})).encode(), [ONE]).unknown == (
        "other",
    )


@pytest.mark.parametrize(
    "marks",
    [None, [], "x", {"workbench": None}, {"workbench": [ONE, "answer"]}, {"workbench": {"exercise": [ONE]}},
     {"workbench": {"exercise": ONE, "role": {}}}],
    ids=str,
)  # fmt: skip
def test_metadata_of_other_shapes_are_no_marks(marks):
    odd = cell("answer = 1") | {"metadata": marks}
    assert not isinstance(answers(notebook(odd)).get(ONE), Found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not JSON"),
        ("{", "not JSON"),
        ("[]", "without nbformat"),
        ("null", "without nbformat"),
        ('{"cells": []}', "without nbformat"),
        ('{"nbformat": 3, "worksheets": []}', "of format 3; open it in JupyterLab"),
        ('{"nbformat": 4}', "of format 4"),
        ('{"nbformat": 4, "cells": {}}', "of format 4"),
        ('{"nbformat": 4, "cells": [1]}', "a cell is not an object"),
        ('{"nbformat": 4, "cells": [{"cell_type": "code", "source": 1}]}', "neither a text nor"),
        ('{"nbformat": 4, "cells": [{"cell_type": "code", "source": ["a", 1]}]}', "neither a text nor"),
        ('{"nbformat": 4, "cells": [], "cells": []}', "stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ('{"nbformat": NaN}', "NaN"),
        (notebook(answer_cell(ONE, "x" * 300_000)), "300,000 characters"),
    ],
    ids=lambda text: text[:40],
)
def test_what_is_no_notebook_is_told(text, why):
    with pytest.raises(WorkbenchError, match=why):
        answers(text)


def test_bytes_that_are_no_text_are_told():
    with pytest.raises(WorkbenchError, match="not UTF-8"):
        read(b"\xff\xfe{}", [ONE])


def test_files_that_cannot_be_read_are_told_without_their_path(tmp_path):
    for name, make in (("pipe.ipynb", os.mkfifo), ("folder.ipynb", os.mkdir), ("gone.ipynb", lambda path: None)):
        make(tmp_path / name)
        with pytest.raises(WorkbenchError) as raised:
            content_of(tmp_path / name)
        assert str(tmp_path) not in str(raised.value)
    with (tmp_path / "huge.ipynb").open("wb") as file:
        file.truncate((16 << 20) + 1)
    with pytest.raises(WorkbenchError, match="longer than 16 MiB; let its outputs be cleared"):
        content_of(tmp_path / "huge.ipynb")


def test_who_a_student_is(tmp_path):
    for name in ("ada.ipynb", "ben/1.ipynb", "ben/lab/2.ipynb", "ben/.ipynb_checkpoints/2-checkpoint.ipynb", "x.txt"):
        path = tmp_path / "class" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    folder = tmp_path / "class"
    found = notebooks_in([folder])
    assert [(student, str(path.relative_to(folder))) for student, path in found] == [
        ("ada", "ada.ipynb"), ("ben", "ben/1.ipynb"), ("ben", "ben/lab/2.ipynb")
    ]  # fmt: skip
    assert notebooks_in([folder / "ada.ipynb", folder]) == found, "a notebook that is named twice is one"
    assert notebooks_in([folder / "ben" / "1.ipynb"]) == [("1", folder / "ben" / "1.ipynb")]


def test_exercises_that_lie_in_one_folder_under_their_own_names_are_one_students(tmp_path, monkeypatch):
    names = ("01-read-a-trace.ipynb", "06-repair.ipynb", "ada.ipynb")
    folder = tmp_path / "ben"
    folder.mkdir()
    for name in names:
        (folder / name).write_text("{}")
    assert [student for student, _ in notebooks_in([folder])] == ["ada", "ben", "ben"]
    monkeypatch.chdir(folder)
    assert [student for student, _ in notebooks_in([Path()])] == ["ada", "ben", "ben"]


def test_a_name_that_moves_the_cursor_is_shown(tmp_path):
    (tmp_path / "a\x1b[2Jb.ipynb").write_text("{}")
    assert notebooks_in([tmp_path])[0][0] == "a\\x1b[2Jb"


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(WorkbenchError, match="does not exist"):
        notebooks_in([tmp_path / "nobody.ipynb"])
    with pytest.raises(WorkbenchError, match="has no notebooks"):
        notebooks_in([tmp_path])


def test_what_jupyter_writes_is_read():
    text = json.loads(answered({ONE: "answer = 1\n# a comment"}))
    text["cells"][2]["source"] = "answer = 1\n# a comment"  # one text in place of lines
    assert answers(json.dumps(text))[ONE].text == "answer = 1\n# a comment"


def test_a_link_in_a_directory_is_not_followed(tmp_path):
    (tmp_path / "ada.ipynb").write_text(answered({ONE: "answer = 1"}))
    (tmp_path / "eve.ipynb").symlink_to(tmp_path / "ada.ipynb")
    (tmp_path / "mallory").symlink_to(tmp_path)
    assert [student for student, _ in notebooks_in([tmp_path])] == ["ada", "eve"]
    with pytest.raises(WorkbenchError, match="it is a link; a notebook is expected"):
        content_of(tmp_path / "eve.ipynb")
    assert content_of(tmp_path / "eve.ipynb", given=True), "who names a link means it"
