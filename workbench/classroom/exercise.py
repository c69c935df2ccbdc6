"""The contract of an exercise: what a student is asked, and a check that runs the answer.

    class DoubleFetch(Exercise):
        name, number = "double-fetch", 5
        ...
        def judge(self, answer): return Judged(passed, said, ran)

A class in a file of ``workbench.classroom.exercises`` is an exercise; it is entered in no list. Its notebooks are
``notebooks/exercises/NN-name.ipynb`` and ``notebooks/solutions/NN-name.ipynb``.
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, NamedTuple


class Judged(NamedTuple):
    """What the check of an answer found; all fields are plain text or bool, so that it can be written as JSON."""

    passed: bool
    said: str  #: what the answer's own run showed: a number, a step, an entry; never the solution
    ran: str = ""  #: a command line, or a call, that shows it again; empty if nothing could be run
    trace: str = ""  #: the steps that show it, as text of 72 columns; empty if there are none


class Exercise:
    """One exercise. ``judge`` runs the answer; it compares no text with a stored solution.

    An answer is a value of JSON's kinds (``kind = "value"``), or the text of a Python file that defines a design and
    names its class ``answer`` (``kind = "design"``). So it can be carried to another process.
    """

    name: ClassVar[str]  #: lower case, with hyphens; also in the metadata of the notebook's cells
    number: ClassVar[int]  #: the place in the lab, from 1
    title: ClassVar[str]
    aim: ClassVar[str]  #: what the student can do afterwards
    minutes: ClassVar[int]
    points: ClassVar[int]
    knows: ClassVar[tuple[str, ...]] = ()  #: what is known before: notebooks, pages, exercises
    hints: ClassVar[tuple[str, str, str]]  #: each says more than the one before; none is the answer
    kind: ClassVar[Literal["value", "design"]] = "value"
    seconds: ClassVar[int] = 30  #: a check that takes longer is broken off

    def judge(self, answer: Any) -> Judged:
        """Run ``answer`` and say what it showed; raise WorkbenchError for an answer that cannot be run."""
        raise NotImplementedError(f"{type(self).__name__}.judge must be written")

    @property
    def file(self) -> str:
        """The name of its notebooks."""
        return f"{self.number:02}-{self.name}.ipynb"


__all__ = ["Exercise", "Judged"]
