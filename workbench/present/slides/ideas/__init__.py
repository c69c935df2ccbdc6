"""The ideas of the slides, one file each: ``slide()`` runs what it needs and returns its slide."""

from collections.abc import Callable

from workbench.present.slides.ideas import (
    designs,
    double_fetch,
    exits,
    failures,
    hardware,
    lost,
    measured,
    repairs,
    shared_memory,
    state,
)
from workbench.present.slides.slide import Slide

#: In the order of a lecture.
IDEAS: tuple[Callable[[], Slide], ...] = tuple(
    one.slide
    for one in (
        shared_memory, designs, exits, state, double_fetch, lost, failures, repairs, hardware, measured,
    )
)  # fmt: skip

__all__ = ["IDEAS"]
