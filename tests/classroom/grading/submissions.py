"""Writes notebooks as students hand them in: right, wrong, empty, partly done, broken, hostile."""

import json
import random
import re
from pathlib import Path

import nbformat

from tests.classroom.refresh import SCAFFOLDS, SOLUTIONS, WRONG, metadata_of, role_of
from workbench.classroom import EXERCISES

ORDINARY = "right wrong empty partly syntax plausible".split()


def source_in(folder: Path, name: str) -> str:
    """Return the answer cell of an exercise's notebook."""
    cells = nbformat.read(folder / EXERCISES[name].file, as_version=4).cells
    (found,) = [cell.source for cell in cells if role_of(cell) == "answer"]
    return found


def right(name: str) -> str:
    return source_in(SOLUTIONS, name)


def empty(name: str) -> str:
    return source_in(SCAFFOLDS, name)


def wrong(name: str, number: int = 0) -> str:
    files = sorted((WRONG / name).glob("*.py"))
    return re.sub(r"\A# shows: .*\n", "", files[number % len(files)].read_text(encoding="utf-8"))


def cell(source, metadata=None, kind="code"):
    made = {"cell_type": kind, "metadata": metadata or {}, "source": source.splitlines(keepends=True)}
    return made | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def answer_cell(name, source):
    return cell(source, metadata_of(EXERCISES[name], "answer"))


def check_cell(name):
    return cell(f'assert check("{name}", answer)', metadata_of(EXERCISES[name], "check"))


def notebook(*cells) -> str:
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


def answered(answers: dict[str, str]) -> str:
    """Return a notebook with the answer and check cells of these exercises."""
    made = [cell("# Hand-in", kind="markdown"), cell("from workbench.classroom import check, hint")]
    for name, source in answers.items():
        made += [answer_cell(name, source), check_cell(name)]
    return notebook(*made)


def ordinary(quality: str, names, seed: int) -> dict[str, str]:
    """Return the answers of a student of some quality; the same for the same seed."""
    chance = random.Random(seed)
    made = {}
    for number, name in enumerate(names):
        if quality == "right" or (quality == "partly" and number % 2 == 0):
            made[name] = right(name)
        elif quality == "empty" or quality == "partly":
            made[name] = empty(name)
        elif quality == "syntax":
            made[name] = right(name) + "\n)"
        else:
            made[name] = wrong(name, chance.randrange(20))
    return made


def hand_in(folder: Path, student: str, text: str) -> Path:
    path = folder / f"{student}.ipynb"
    path.write_text(text, encoding="utf-8")
    return path
