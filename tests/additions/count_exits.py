"""Count the exits of one registration."""

from workbench.classroom.answers import a_number
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import compared, ran


class CountExits(Exercise):
    name, number = "count-exits", 12
    title, aim = "Count exits", "count"
    minutes, points = 1, 1
    hints = ("one", "two", "three")

    def judge(self, answer):
        found = ran("generic", "boot", ("steal_time",), 1).counts["exits"]
        said = f"predicted {a_number(answer, 'the answer')}, counted {found}"
        return Judged(answer == found, said, compared("generic", "boot", ("steal_time",), 1, "exits"))
