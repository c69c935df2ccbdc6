"""The classroom: exercises that check themselves by running the answer.

from workbench.classroom import check, hint
check("predict-exits", answer)       # prints PASS, or raises an AssertionError that says what the run showed
"""

from workbench.classroom.check import check, hint
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.exercises import EXERCISES
from workbench.classroom.judging import judged

__all__ = ["EXERCISES", "Exercise", "Judged", "check", "hint", "judged"]
