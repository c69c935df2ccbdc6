"""Design your own, and survive the events in which both designs of 2011 fail."""

from typing import Any

from workbench.checking.failures import FAILURES
from workbench.classroom.answers import FILE, design_of
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import compared, ran, told
from workbench.core.outcome import Fate
from workbench.engines.explore import FAILS, HOLDS
from workbench.measure.exploration.explore import Exploration, Question, explore_question
from workbench.measure.exploration.recording import of_finding
from workbench.measure.variants import Variant
from workbench.present.web.stepper import trace_text

FEATURES = ("steal_time",)
_FEATURES = f"--features {','.join(FEATURES)}"
#: The rows of the matrix, with how many vCPUs each is explored.
EVENTS = {
    "boot": 1, "kexec": 1, "kexec-to-silent": 1, "init-no-reregister": 1, "migrate": 1, "migrate-reordered": 1,
    "migrate-damaged": 1, "ignore-msrs": 1, "hostile-bad-base": 1, "hostile-size-zero": 1, "descriptor-race": 2,
}  # fmt: skip
#: What no guest and no host can help: the host writes before the first step of a new kernel that was told nothing, and
#: the address that the stream no longer has cannot be served.
EXCUSED = {"kexec-to-silent": "stray-write", "migrate-damaged": "lost-registration"}
MOST_STATES = 50_000


class OwnDesign(Exercise):
    """A design for steal time that holds in every cell of a small matrix."""

    name, number = "own-design", 11
    title = "Design your own, and survive the matrix"
    aim = "make the decisions yourself: who is asked, where the argument is, who forgets, and what a migration carries"
    minutes, points = 25, 20
    knows = ("all exercises before", "docs/write-a-design.md", "workbench new, which writes a design to begin with")
    kind = "design"
    seconds = 90
    hints = (
        "Start from the smallest design that registers: one register with the address in it. An argument in a register "
        "cannot be changed by another vCPU, so one row of the matrix is already won.",
        "Then go through the rows one by one: after kexec and INIT nothing may stay, a migration has to save and to "
        "restore, and a guest has to notice a host that does not know the design (exercise silent-host).",
        "If you use one bit of the register as `enabled`, the address 0 is an address like any other, and 0 in the "
        "whole register says that nothing is registered.",
    )

    def judge(self, answer: Any) -> Judged:
        """Explore every row of the matrix for all properties; the first cell that fails is told, with its trace."""
        with design_of(answer) as design:
            if said := _registers_nothing(design):
                return Judged(False, said, compared(design, "boot", FEATURES, 2, "fate"))
            states = 0
            for event, vcpus in EVENTS.items():
                found = explore_question(Question.of(design, event, FEATURES, vcpus), max_states=MOST_STATES)
                states += found.result.states
                if wrong := _failing(found, event, vcpus):
                    return wrong
        excused = ", ".join(f"{name} after {event}" for event, name in EXCUSED.items())
        held = f"{len(EVENTS)} events, {states:,} states: no property fails but what is excused ({excused})"
        return Judged(True, held, f"workbench matrix --protocols {FILE} --events {','.join(EVENTS)} {_FEATURES}")


def _registers_nothing(design: Variant) -> str:
    """Say that the design does not do its work; a design in which nothing happens has no failures."""
    fates = set(ran(design, "boot", FEATURES, 2).fates)
    return "" if fates == {Fate.REGISTERED} else f"boot: the areas are {told(fates)}; they must be registered"


def _failing(found: Exploration, event: str, vcpus: int) -> Judged | None:
    """Return what fails in one row; None if nothing does."""
    again, result = _again(event, vcpus), found.result
    asked = [one for one in FAILURES.values() if one.kind == "always" and one.name != EXCUSED.get(event)]
    failed = [failure for failure in asked if result.verdicts[failure.code] == FAILS]
    if failed:
        traces = [(recording, one) for one in failed if (recording := of_finding(found, one)) is not None]
        recording, failure = min(traces, key=lambda pair: len(pair[0].rows))
        others = len(failed) - 1
        more = f", and {others} more {'property fails' if others == 1 else 'properties fail'}" if others else ""
        said = f"{event}: {failure.title} after {len(recording.rows)} steps{more}"
        return Judged(False, said, again, trace_text(recording))
    if result.limit is not None:
        said = f"{event}: more than {result.states:,} states; a design with fewer steps can be searched to the end"
        return Judged(False, said, again)
    if result.verdicts["S02"] == FAILS or (event == "boot" and result.verdicts["S02"] != HOLDS):
        return Judged(False, f"{event}: no payload ever arrives in the area", again)
    return None


def _again(event: str, vcpus: int) -> str:
    return f"workbench explore {FILE} --events {event} {_FEATURES} --vcpus {vcpus}"
