"""The scheduler as a panel of a notebook: a button for everyone who may step, and the steps taken so far below.

    panel = SchedulerPanel()             # exercise double-fetch
    panel.schedule                       # the picks so far, which is the answer

It needs a kernel, because each click takes a step on a machine; it needs no network. Without a kernel the steps taken
are shown.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import ipywidgets as W  # noqa: N812

from workbench.checking.failures import choose as choose_failures
from workbench.classroom.scheduler import Choice, Scheduler
from workbench.measure.exploration.explore import Question
from workbench.present.web import View
from workbench.present.web.stepper import stepper
from workbench.present.widgets import Panel

#: Moves the view that it stands in to its last step.
TO_THE_END = """<script>(() => {
const slider = document.currentScript.closest(".pvw").querySelector("input[type=range]");
if (slider) { slider.value = slider.max; slider.dispatchEvent(new Event("input")); }
})();</script>"""
WIDE = {"width": "auto", "min_width": "280px"}


class SchedulerPanel(Panel):
    """Buttons that let one vCPU, the event or the host take its next step; ``failure`` is what is to come about.

    ``schedule``: the picks to begin with. Raises WorkbenchError for an unknown name, and for a pick that cannot step.
    """

    def __init__(
        self, protocol: str = "generic", event: str = "descriptor-race", features: Iterable[str] = ("steal_time",),
        vcpus: int = 2, failure: str = "double-fetch", schedule: Iterable[str] = (),
    ) -> None:  # fmt: skip
        self.controls = {}
        (self.failure,) = choose_failures([failure])
        self.run = Scheduler(Question.of(protocol, event, tuple(features), vcpus), schedule)
        self.choices, self.state = W.HBox(layout={"flex_flow": "row wrap"}), W.HTML()
        self.back = W.Button(description="Take back", tooltip="take the last step back")
        self.again = W.Button(description="Start again", tooltip="take all steps back")
        self.back.on_click(lambda _: self._now(self.run.back()))
        self.again.on_click(lambda _: self._now(Scheduler(self.run.question)))
        self.start(self.choices, W.HBox([self.back, self.again]), self.state)

    @property
    def schedule(self) -> list[str]:
        """The picks so far, in order: the answer to paste."""
        return list(self.run.picks)

    def view(self) -> View | str:
        """Return the steps taken so far, at the last one; a text before the first step."""
        broken = not self.failure.holds(self.run.machine)
        self._offer()
        count = len(self.run.picks)
        told = f"<b>{self.failure.title}</b>: {'it has happened' if broken else 'not yet'}"
        self.state.value = f"<span role='status'>{count} step{'' if count == 1 else 's'} taken. {told}.</span>"
        if not count:
            return "no step has been taken: click who takes the first one\n"
        recording = self.run.recording(self.failure)
        return stepper(recording, command="", python=self.as_python(), asked={"schedule": self.schedule})

    def as_python(self) -> str:
        """Return the answer as it is written in a cell."""
        return f"answer = {self.schedule!r}"

    def _show(self, text: str, drawing: str) -> None:
        """Show the view at its last step; saved without that, like any view, so that it can be drawn anew."""
        end = "</div>"
        super()._show(text, drawing.removesuffix(end) + TO_THE_END + end if drawing else "")
        self.drawing = drawing

    def _offer(self) -> None:
        """Show a button for everyone who has a step; who has to wait is shown, and cannot be clicked."""
        self.choices.children = [self._button(choice) for choice in self.run.may()]
        self.back.disabled = self.again.disabled = not self.run.picks

    def _button(self, choice: Choice) -> W.Button:
        label = f"{choice.pick}  ▸  {choice.said}" + (" (waits)" if choice.waits else "")
        button = W.Button(description=label, tooltip=choice.waits or choice.said, layout=WIDE)
        button.disabled = bool(choice.waits)
        button.on_click(partial(self._clicked, choice.pick))
        return button

    def _clicked(self, pick: str, _button: Any) -> None:
        self.run.take(pick)
        self.compute()

    def _now(self, run: Scheduler) -> None:
        self.run = run
        self.compute()


__all__ = ["SchedulerPanel"]
