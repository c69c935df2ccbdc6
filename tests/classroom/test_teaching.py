"""``docs/teaching.md``: its exercises, minutes, points and slides are those that there are; the lab takes two hours."""

import re
from pathlib import Path

from workbench.classroom import EXERCISES
from workbench.present.slides.ideas import IDEAS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs/teaching.md").read_text(encoding="utf-8")
ROW = re.compile(r"^\| \[(\d+) [^]]+\]\(\.\./notebooks/exercises/([^)]+)\) \| (\d+) \| (\d+) \|", re.MULTILINE)


def exercises():
    found = EXERCISES.values() if isinstance(EXERCISES, dict) else EXERCISES
    return sorted((one() if isinstance(one, type) else one for one in found), key=lambda one: one.number)


def test_every_exercise_with_its_minutes_and_points():
    said = [(int(number), file, int(minutes), int(points)) for number, file, minutes, points in ROW.findall(PAGE)]
    assert said == [(one.number, one.file, one.minutes, one.points) for one in exercises()]


def test_the_points_of_the_lab():
    (number, points) = re.search(r"Exercises 1 to (\d+) give\s+(\d+) points", PAGE).groups()
    assert sum(one.points for one in exercises() if one.number <= int(number)) == int(points)


def test_the_lab_takes_two_hours_and_leaves_time_for_its_exercises():
    lab = PAGE[PAGE.index("## A lab of two hours") : PAGE.index("## A week")]
    rows = re.findall(r"^\| (\d+) \| [^|]+ \| ([^|]+) \|$", lab, re.MULTILINE)
    assert sum(int(minutes) for minutes, _ in rows) == 120
    needed = {one.number: one.minutes for one in exercises()}
    for minutes, material in rows[:-1]:
        asked = re.search(r"exercises? ([\d, ]+)", material)
        if asked:
            assert sum(needed[int(number)] for number in re.findall(r"\d+", asked[1])) <= int(minutes)


def test_slides_are_those_that_there_are():
    named = {int(number) for text in re.findall(r"slides? ([\d, and]+)", PAGE) for number in re.findall(r"\d+", text)}
    assert named == set(range(1, len(IDEAS) + 1))


def test_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert len(links) > 10
    assert [one for one in links if not (ROOT / "docs" / one).exists()] == []
