"""Areas of which a model needs only one word."""

from typing import ClassVar

from workbench.clayout.layout import U64
from workbench.clayout.types import Scalar
from workbench.core.contracts import Feature
from workbench.core.steps import Moment, Program, Store


class OneWord(Feature):
    """The guest clears the first ``word``; the host sets it to report an event."""

    word: ClassVar[Scalar] = U64
    update_when = "event"
    linux_boot = linux_teardown = 0

    def prepare(self, gpa: int) -> Program:
        yield Store(gpa, 0, self.word)

    def update(self, cpu: int, gpa: int, now: Moment) -> Program:
        yield Store(gpa, 1, self.word)
