"""Write the metadata of the exercises' cells, and execute the solutions.

    python -m tests.classroom.refresh            # all
    python -m tests.classroom.refresh 03 06      # those whose names begin with 03 or 06

Cells say by a tag which is which: ``answer`` and ``check``. The other metadata follow from the exercise.
"""

import sys
from pathlib import Path

import nbformat

from tests.notebooks.refresh import FOLDER, fresh
from workbench.classroom import EXERCISES
from workbench.present.notebooks.portable import normalise

SCAFFOLDS, SOLUTIONS = FOLDER / "exercises", FOLDER / "solutions"
WRONG = Path(__file__).parent / "wrong"
ROLES = ("answer", "check")


def role_of(cell):
    """Return what a cell is in an exercise: "answer", "check", or "" for any other."""
    return next((role for role in ROLES if role in cell.metadata.get("tags", ())), "")


def metadata_of(exercise, role):
    """Return the metadata of an exercise's answer or check cell, for the workbench and for nbgrader."""
    is_check = role == "check"
    nbgrader = {
        "grade": is_check, "grade_id": f"{exercise.name}-{role}", "locked": is_check, "schema_version": 3,
        "solution": not is_check, "task": False,
    }  # fmt: skip
    points = {"points": exercise.points} if is_check else {}
    return {"tags": [role], "workbench": {"exercise": exercise.name, "role": role}, "nbgrader": nbgrader | points}


def stamped(notebook, exercise):
    """Give every cell its id by its place, and the answer and the check their metadata; return the notebook."""
    for number, cell in enumerate(notebook.cells):
        cell["id"] = f"{exercise.name}-{number}"
        if role := role_of(cell):
            cell.metadata = nbformat.from_dict(metadata_of(exercise, role))
    return notebook


def main(*beginnings):
    for exercise in EXERCISES.values():
        if not exercise.file.startswith(beginnings or ("",)):
            continue
        for folder in (SCAFFOLDS, SOLUTIONS):
            path = folder / exercise.file
            notebook = stamped(nbformat.read(path, as_version=4), exercise)
            nbformat.write(notebook, path)
            if folder == SOLUTIONS:
                nbformat.write(fresh(path), path)
            else:
                for cell in notebook.cells:
                    if cell.cell_type == "code":
                        cell.outputs = []
                notebook = normalise(notebook)
                for cell in notebook.cells:
                    if cell.cell_type == "code":
                        cell.execution_count = None
                nbformat.write(notebook, path)
        print(exercise.file)


if __name__ == "__main__":
    main(*sys.argv[1:])
