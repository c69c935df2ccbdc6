"""Predict how often each design leaves the guest, then let the simulator count."""

from typing import Any

from workbench.classroom.answers import a_dict, a_number
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import compared, ran

DESIGNS, EVENTS = ("generic", "per_feature"), ("boot", "kexec", "migrate")
FEATURES, VCPUS = ("kvmclock", "wall_clock", "async_pf", "steal_time"), 4


class PredictExits(Exercise):
    """The exits of both designs in three events, for four vCPUs and four features."""

    name, number = "predict-exits", 3
    title = "Predict the exits, then run"
    aim = "derive the number of exits of a registration from its design, before anything is run"
    minutes, points = 10, 6
    knows = ("notebook 03: which registers each feature has", "notebook 04: what an exit is")
    hints = (
        "Count for one vCPU first: which of the four features does every vCPU register, and which one does the boot "
        "CPU alone register for the whole VM?",
        "Under generic an area is one exit. Under per_feature one of the four features needs two registers: find it "
        "with Trial(\"per_feature\").register, as notebook 03 does.",
        "kexec is a teardown on every vCPU and then a boot. Revoking an area is one exit, and nobody revokes the wall "
        "clock. A migration is done by the VMM: does the guest run an instruction that causes an exit?",
    )

    def judge(self, answer: Any) -> Judged:
        """Compare each predicted number with what the simulator counts; the first that differs is told."""
        table = a_dict(answer, "the answer", DESIGNS)
        wanted = [
            (design, event, a_number(a_dict(table[design], f"answer[{design!r}]", EVENTS)[event], f"{design}, {event}"))
            for design in DESIGNS
            for event in EVENTS
        ]
        wrong = [one for one in wanted if one[2] != self.exits(*one[:2])]
        if not wrong:
            again = compared(",".join(DESIGNS), ",".join(EVENTS), FEATURES, VCPUS, "exits")
            return Judged(True, f"all {len(wanted)} predictions are what the simulator counts", again)
        design, event, number = wrong[0]
        said = f"{design}, {event}: predicted {number}, and the run counted {self.exits(design, event)} exits"
        others = len(wrong) - 1
        more = f" ({others} more of {len(wanted)} {'differs' if others == 1 else 'differ'})" if others else ""
        return Judged(False, said + more, compared(design, event, FEATURES, VCPUS, "exits"))

    def exits(self, design: str, event: str) -> int:
        """Return how many exits the simulator counts."""
        return ran(design, event, FEATURES, VCPUS).counts["exits"]
