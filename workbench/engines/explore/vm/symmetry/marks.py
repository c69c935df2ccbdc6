"""What sets the vCPUs of a machine apart: how an event treats them, step by step.

Two vCPUs may be exchangeable if they begin alike and the event never does to one what it does not do to the other in
the same step, or in any order (``workbench.core.event_steps.Each``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable
from typing import Any

from workbench.checking.environment import program_name
from workbench.core.event_steps import Each, Enter, Init, KernelGone, Reassign, Start, Stop, Wait, WaitAll
from workbench.core.relay import relayed
from workbench.core.step_text import step_text
from workbench.core.steps import Program as Steps


class Marks:
    """What sets vCPUs of one machine apart, as far as the steps of its event tell."""

    def __init__(self, vcpus: int) -> None:
        self.cpus = range(vcpus)
        self._found: dict[tuple[Hashable, ...], str] = {}

    def note(self, text: str, marks: tuple[Hashable, ...]) -> None:
        """Note what distinguishes vCPUs (a mark for each, equal if they are treated alike) and what says so."""
        if len(set(marks)) > 1:
            self._found.setdefault(marks, text)

    def noting(self, steps: Steps) -> Steps:
        """Return an event's steps, and note on the way which vCPUs they name."""

        def noted(step: Any) -> Steps:
            self.note(_text(step), tuple(_mark(step, cpu) for cpu in self.cpus))
            return (yield step)

        return relayed(steps, noted)

    def alike(self) -> tuple[tuple[int, ...], list[str]]:
        """Return the largest set of vCPUs that nothing sets apart, and for each of the others what does."""
        described = {cpu: tuple(marks[cpu] for marks in self._found) for cpu in self.cpus}
        most, _ = Counter(described.values()).most_common(1)[0]
        alike, reasons = tuple(cpu for cpu in self.cpus if described[cpu] == most), []
        for cpu, own in described.items():
            if own != most:
                differs = next(n for n, (one, other) in enumerate(zip(own, most, strict=True)) if one != other)
                reasons.append(f"vCPU {cpu} is not treated like vCPU {alike[0]}: {list(self._found.values())[differs]}")
        return alike, reasons


def _text(step: Any) -> str:
    """Return one line for a step of an event, in which programs are not yet known by a name."""
    if isinstance(step, Start):
        return f"start {program_name(step)}"
    return " or ".join(map(_text, step.next_steps())) if isinstance(step, Each) else step_text(step)


def _mark(step: Any, cpu: int) -> Hashable:
    """What a step says of a vCPU, without its name."""
    if isinstance(step, Start):
        return step.cpu == cpu and program_name(step).without_cpu
    if isinstance(step, Wait | Stop | Enter | Init):
        return step.cpu == cpu
    if isinstance(step, WaitAll | KernelGone):
        return cpu in step.cpus
    if isinstance(step, Reassign):
        return tuple(sorted((unit.generation, unit.what) for unit in step.units if unit.cpu == cpu))
    if isinstance(step, Each):
        return tuple(tuple((type(own), _mark(own, cpu)) for own in turn) for turn in step.turns if turn[0].cpu == cpu)
    return None
