"""Survive kexec: no area of the old kernel is served when the new one owns its memory."""

from typing import Any

from workbench.classroom.answers import design_of
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import compared, nothing_arrives, ran, searched, told
from workbench.core.outcome import Fate
from workbench.measure.variants import Variant

FEATURES, VCPUS = ("steal_time",), 4
#: Each event with the failure that must not occur in it.
ASKED = (
    ("kexec", "stray-write", "the old kernel has no way to take its registration back, or does not use it"),
    ("kexec-to-silent", "unknown-to-guest", "the host serves an address that no running kernel has registered"),
)
#: Calls that a boot may make on each vCPU: one that revokes what is left, and the registration.
MOST_CALLS = 2


class SurviveKexec(Exercise):
    """The design of the scaffold registers, and has no way back."""

    name, number = "survive-kexec", 9
    title = "Survive kexec"
    aim = "give a registration an end: by the kernel that made it, and by the next one if the first did not"
    minutes, points = 12, 10
    knows = ("exercise read-a-trace", "docs/write-a-design.md: unregister and revoke_all")
    kind = "design"
    hints = (
        "Two kernels matter. What does the old one do before it ends (unregister)? And what does a new one do when it "
        "comes up and knows nothing of the old one (revoke_all)?",
        "Which value of the register can mean `nothing`? The host has to treat it as such, before it asks whether "
        "memory is there, and forget the address to which it writes.",
        "revoke_all runs on every CPU that comes up, before it registers anything. One write is enough there too.",
    )

    def judge(self, answer: Any) -> Judged:
        """Explore both events with one vCPU, then simulate them with four."""
        with design_of(answer) as design:
            before = _registers(design)
            if before:
                return before
            for event, failure, why in ASKED:
                found = searched(design, event, FEATURES, failure)
                if found.fails:
                    said = f"{event}: {failure.replace('-', ' ')}, because {why}"
                    return Judged(False, said, found.again, found.trace)
            return _with_four(design)


def _registers(design: Variant) -> Judged | None:
    fates = ran(design, "boot", FEATURES, VCPUS).fates
    if set(fates) != {Fate.REGISTERED}:
        return Judged(False, f"boot: the areas are {told(fates)}", compared(design, "boot", FEATURES, VCPUS, "fate"))
    return nothing_arrives(design, "boot", FEATURES, 1)  # a design can tell how many vCPUs there are


def _with_four(design: Variant) -> Judged:
    """Simulate with four vCPUs: what each does for itself must not be what vCPU 0 does for all, and not cost more."""
    kexec = ran(design, "kexec", FEATURES, VCPUS)
    if set(kexec.fates) != {Fate.REGISTERED}:
        said = f"kexec of {VCPUS} vCPUs: the areas are {told(kexec.fates)}"
        return Judged(False, said, compared(design, "kexec", FEATURES, VCPUS, "fate"))
    exits = ran(design, "boot", FEATURES, VCPUS).counts["exits"]
    again = compared(design, "boot,kexec,kexec-to-silent", FEATURES, VCPUS, "exits,fate")
    if exits > MOST_CALLS * VCPUS:
        return Judged(False, f"boot takes {exits} exits; {MOST_CALLS} for each of {VCPUS} vCPUs are enough", again)
    said = f"nothing of the old kernel is served after kexec, and boot takes {exits} exits for {VCPUS} vCPUs"
    return Judged(True, said, again)
