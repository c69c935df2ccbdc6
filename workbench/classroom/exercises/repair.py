"""Repair a double fetch without another exit."""

from typing import Any

from workbench.classroom.answers import design_of
from workbench.classroom.designs.twice import Twice
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import Searched, compared, nothing_arrives, ran, searched, told
from workbench.measure.variants import Variant

FEATURES, VCPUS = ("steal_time",), 2
#: What a repair must not change: exits, and what becomes of the areas.
UNCHANGED = ("boot", "kexec", "hostile-bad-base")


class Repair(Exercise):
    """The design of the scaffold reads its descriptor twice."""

    name, number = "repair", 6
    title = "Repair the double fetch, and keep the exit count"
    aim = "remove a race between check and use, and show that the repair costs nothing and loses nothing"
    minutes, points = 12, 10
    knows = ("exercise double-fetch", "docs/write-a-design.md: steps, and which side may yield them")
    kind = "design"
    hints = (
        "Which value does the check look at, and which value is kept? Follow `asked` through on_wrmsr and keep.",
        "Two reads next to each other are still two steps; anything may run between two steps.",
        "What was checked is already in a local variable of on_wrmsr. A method of yours may take it as an argument.",
    )

    def judge(self, answer: Any) -> Judged:
        """Explore the race, then compare exits and fates with those of the design in the scaffold."""
        with design_of(answer) as design:
            race = searched(design, "descriptor-race", FEATURES, "double-fetch", vcpus=VCPUS)
            if race.fails:
                return Judged(False, _again(race), race.again, race.trace)
            if wrong := nothing_arrives(design, "descriptor-race", FEATURES, VCPUS):
                return wrong
            for event in UNCHANGED:
                if wrong := changed(design, event):
                    return wrong
            boot = ran(design, "boot", FEATURES, VCPUS).counts["exits"]
            said = f"no double fetch in {race.exploration.result.states:,} states, and {boot} exits at boot, as before"
            return Judged(race.verdict == "HOLDS", said, race.again)


def _again(race: Searched) -> str:
    """Say at which step of its trace a design reads again."""
    steps = len(race.exploration.trace(race.exploration.failures[0]) or ())
    return f"the host reads the descriptor again in step {steps}, after vCPU 1 has changed it"


def changed(design: Variant, event: str) -> Judged | None:
    """Return what a repair has changed beside the fault; None if exits and fates are as they were."""
    before, now = (ran(one, event, FEATURES, VCPUS) for one in (Variant.of(Twice), design))
    if now.counts["exits"] != before.counts["exits"]:
        said = f"event {event}: {now.counts['exits']} exits, where the design had {before.counts['exits']}"
        return Judged(False, said, compared(design, event, FEATURES, VCPUS, "exits"))
    if now.fates != before.fates:
        said = f"event {event}: the areas are now {told(now.fates)}; before the repair they were {told(before.fates)}"
        return Judged(False, said, compared(design, event, FEATURES, VCPUS, "fate"))
    return None
