"""Notice a host that accepts every register and serves none."""

from typing import Any

from workbench.classroom.answers import design_of
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import compared, ran, searched, told
from workbench.core.outcome import Fate
from workbench.measure.exploration.explore import Question
from workbench.measure.exploration.recording import of_run
from workbench.measure.variants import Variant
from workbench.present.web.stepper import trace_text

FEATURES, VCPUS = ("steal_time",), 2
#: Exits that the guest may spend on one area: the registration, and one question.
MOST_EXITS = 2
#: What must become of the areas: on a host that knows the design, on one that faults, on one that ignores.
EXPECTED = (("boot", Fate.REGISTERED), ("old-host", Fate.REFUSED), ("ignore-msrs", Fate.REFUSED))


class SilentHost(Exercise):
    """A guest that does not look believes in an area that never receives anything."""

    name, number = "silent-host", 10
    title = "Hear the silence of a host"
    aim = "make a guest find out whether its host knows the design, and not only whether the write faulted"
    minutes, points = 10, 8
    knows = ("notebook 03: what a guest of Linux looks at", "workbench list: the events old-host and ignore-msrs")
    kind = "design"
    hints = (
        "A host under kvm.ignore_msrs takes every write without a fault. What does it answer to a read of a register "
        "that it does not know?",
        "The guest can read back what it wrote. Then the host that knows the design has to answer such a read "
        "(on_rdmsr); where does it keep the value?",
        "A host that ignores the register answers 0 to the read, and that is no fault either. The guest has to compare "
        "the answer with what it wrote, and with nothing weaker.",
    )

    def judge(self, answer: Any) -> Judged:
        """Simulate the three kinds of host, then explore the silent one."""
        with design_of(answer) as design:
            for event, expected in EXPECTED:
                fates = set(ran(design, event, FEATURES, VCPUS).fates)
                if fates != {expected}:
                    said = f"event {event}: the areas are {told(fates)}; they should be {expected.value}"
                    one = trace_text(of_run(Question.of(design, event, FEATURES, 1)))
                    return Judged(False, said, compared(design, event, FEATURES, VCPUS, "fate"), one)
            return _explored(design)


def _explored(design: Variant) -> Judged:
    exits = ran(design, "boot", FEATURES, VCPUS).counts["exits"]
    again = compared(design, "boot", FEATURES, VCPUS, "exits")
    if exits > MOST_EXITS * VCPUS:
        return Judged(False, f"boot takes {exits} exits; {MOST_EXITS} for each of {VCPUS} areas are enough", again)
    found = searched(design, "ignore-msrs", FEATURES, "false-success", vcpus=VCPUS)
    if found.fails:
        return Judged(False, "ignore-msrs: the guest can still conclude success", found.again, found.trace)
    said = f"no false success on a host that ignores registers, and {exits} exits for {VCPUS} areas"
    return Judged(True, said, found.again)
