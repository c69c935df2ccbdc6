"""The exercises, in one small file each, in the order of the lab. A new exercise is a new file."""

from workbench.classroom.exercise import Exercise
from workbench.core.catalogue import by_key, classes_in, modules_of
from workbench.errors import unknown

EXERCISES: dict[str, Exercise] = by_key(
    sorted(
        (kind() for module in modules_of(__name__, __path__) for kind in classes_in(module, Exercise)),
        key=lambda exercise: exercise.number,
    ),
    lambda exercise: exercise.name,
)


def choose_one(name: str) -> Exercise:
    """Return the exercise of this name; raise WorkbenchError if there is none."""
    if name not in EXERCISES:
        raise unknown("exercise", str(name), EXERCISES)
    return EXERCISES[name]


__all__ = ["EXERCISES", "choose_one"]
