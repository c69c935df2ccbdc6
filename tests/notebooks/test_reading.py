"""The notebooks as a reader sees them: in order, with an answer, with numbers that are those of their outputs."""

import re
from contextlib import redirect_stdout
from io import StringIO
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from tests.notebooks.refresh import VIEW, notebooks
from tests.notebooks.test_notebooks import PATHS, WIDEST_LINE, code, read

ALL = notebooks()
TITLES = {path.name: read(path).cells[0].source.splitlines()[0].removeprefix("# ") for path in ALL}
PICTURES = ("text/html", "image/png", "image/svg+xml")
#: How the prose names a picture, or tells what to do with it.
NAMED = re.compile(r"\b(maps?|pictures?|panel|traces?|tables?|slider|drawn|bars?|[Ss]tep through|[Dd]rawn|below)\b")
#: An object as Python prints it, with or without its module.
REPR = re.compile(r"<[\w.]+( object)?( at 0x[0-9a-f]+)?>|object at 0x|^\w+\(.*=.*\)$|^<|^Figure\(", re.MULTILINE)
#: Numbers in the prose that no output of the notebook has, because they come from elsewhere.
FROM_ELSEWHERE = {
    "00-start": {"24": "day of January 2011", "16": "patches of the series"},
    "03-per-feature": {
        "6.12": "Linux", "0x11": "older number", "0x4b564d00": "newer number",
        "32": "bytes of the clock", "64": "bits; alignment",
    },
    "05-state-and-migration": {"7.2": "QEMU"},
    "05b-version-skew": {"10.0": "QEMU"},
    "06-failure-modes": {"6.12": "Linux"},
    "07-on-real-kvm": {"6.18": "Linux", "0x4b564d03": "notebook 00 has a claim about it"},
}  # fmt: skip
#: What the prose says of a step: a piece of the sentence, how the trace begins, the step, and what it does.
STEPS = {
    "01-a-page-shared": [
        ("In steps 1 to 5 the host learns *where*", "register kvmclock at", 1, "exit: wrmsr"),
        ("In steps 1 to 5 the host learns *where*", "register kvmclock at", 5, "set pending"),
    ],
    "02-generic": [
        ("in step 5 it reads the descriptor a **second** time", "register kvmclock at", 5, "load kvm_memory_area at"),
    ],
    "06-failure-modes": [
        ("In step 4 KVM checks the base", "double fetch:", 4, "memory?"),
        ("it read in step 3.", "double fetch:", 3, "load kvm_memory_area at"),
        ("In step\n6 the other vCPU writes another base", "double fetch:", 6, "store 0x106000"),
        ("In step 7 KVM reads again", "double fetch:", 7, "load kvm_memory_area at"),
        ("The registration succeeds (steps 1 to 14)", "lost registration:", 1, "store kvm_steal_time of zeros"),
        ("The registration succeeds (steps 1 to 14)", "lost registration:", 14, "guest: believes steal_time"),
        ("empty list is restored in step 18", "lost registration:", 18, "restore_on ()"),
        ("Compare what follows step 4", "old area live:", 4, "set register 0x4b564d01"),
        ("the second write, step 23", "old area live:", 23, "set register 0x4b564d01"),
    ],
    "06b-repairs": [
        ("KVM serves an interrupt of vCPU 1 (step 17)", "stray write:", 17, "pv_eoi event on vCPU 1"),
        ("looks up its area (step 19)", "stray write:", 19, "get area pv_eoi of vCPU 1"),
        ("What it stores comes when the memory has been given away (step 31)", "stray write:", 31, "store 1 (u8)"),
    ],
}


def prose(path):
    return "\n\n".join(cell.source for cell in read(path).cells if cell.cell_type == "markdown")


def outputs(path):
    return [output for cell in code(read(path)) for output in cell.outputs]


def texts(path):
    """Return every output as text."""
    return [one.text if one.output_type == "stream" else one.data["text/plain"] for one in outputs(path)]


# -- on a site that runs no scripts ------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_every_output_is_a_picture_or_a_text_and_never_a_repr(path):
    for output in outputs(path):
        if output.output_type == "stream":
            assert output.name == "stdout", output.text  # no warning is committed
            continue
        data, shown = output.data, output.data["text/plain"]
        assert set(data) <= {"text/plain", *PICTURES}
        assert not REPR.search(shown), shown
        assert len(shown.split()) >= 3, shown
        if "image/svg+xml" in data:
            assert ElementTree.fromstring(data["image/svg+xml"]).tag.endswith("svg")
        if "text/html" in data:
            found = VIEW.match(data["text/html"])
            assert found, "a view, whose text stands in it for a place without scripts"
            assert len(shown.splitlines()) > 3, "the whole content as text, not only its name"


def test_an_objects_repr_is_recognised():
    """What notebooks once showed, and what others show."""
    for bad in ("<IPython.core.display.SVG object>", "<Figure size 640x480 with 1 Axes>", "VBox(children=(1,), a=2)"):
        assert REPR.search(bad)
    for good in ("Exits at boot over vCPUs, as in the table above", "generic: register kvmclock (1 exit (kernel))"):
        assert not REPR.search(good)


@pytest.mark.parametrize("path", PATHS)
def test_lines_are_not_broken_in_the_middle_of_a_word(path):
    """A browser breaks what is wider than the column."""
    assert [line for text in texts(path) for line in text.splitlines() if len(line) > WIDEST_LINE] == []


# -- the order of reading ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", PATHS)
def test_it_ends_with_an_answer_in_three_lines_and_the_ways_on(path):
    answer = re.fullmatch(r"## Answer\n\n((?:\* .+\n){3})\n(.+)", read(path).cells[-1].source)
    assert answer, "## Answer, three lines that begin with a star, and a line of links"
    at = ALL.index(path)
    ways = [f"Back: [{TITLES[one.name]}]({one.name})" for one in ALL[:at][-1:]]
    ways += [f"Next: [{TITLES[one.name]}]({one.name})" for one in ALL[at + 1 :][:1]]
    told, _, exercises = answer[2].partition(" · Exercise")
    assert told == " · ".join(ways)
    assert exercises
    for title, name in re.findall(r"\[([^]]+)\]\(([^)]+)\)", exercises):
        first = read(path.parent / name).cells[0].source.splitlines()[0]
        assert re.fullmatch(rf"# (Exercise \d+: )?{re.escape(title)}", first)


def test_a_notebook_leads_to_every_exercise():
    linked = set(re.findall(r"\]\(exercises/([^)]+)\)", "".join(read(path).cells[-1].source for path in ALL)))
    assert linked == {path.name for path in (ALL[0].parent / "exercises").glob("*.ipynb")}


@pytest.mark.parametrize("path", PATHS)
def test_every_link_to_a_file_leads_to_one(path):
    links = re.findall(r"\]\(([^)#\s]+)\)", prose(path))
    assert links
    assert [one for one in links if "://" not in one and not (path.parent / one).exists()] == []


def test_the_solution_under_your_turn_solves_it():
    """The cell as it is has no solution; with the code of the fold in place of its class it has."""
    path = next(one for one in ALL if one.name.startswith("02-"))
    (solution,) = re.findall(r"<summary>A solution.*?```python\n(.*?)```", prose(path), re.DOTALL)
    cells = [cell.source for cell in code(read(path)) if "widgets" not in cell.source]
    (turn,) = (cell for cell in cells if cell.startswith("class Yours"))
    known: dict[str, object] = {}
    for source in cells[: cells.index(turn)]:
        exec(source, known)
    checked = turn[turn.index("\nwanted") :]
    for tried, word in ((turn, "not yet"), (solution + checked, "solved")):
        with redirect_stdout(StringIO()) as out:
            exec(tried, known)
        assert out.getvalue().count(f"({word})") == len(out.getvalue().splitlines()) == 2


@pytest.mark.parametrize("path", PATHS)
def test_the_first_one_asks_the_same_question(path):
    number = path.name.partition("-")[0]
    assert number == "00" or f"| [{number}]({path.name}) | {TITLES[path.name]} |" in prose(ALL[0])


@pytest.mark.parametrize("path", PATHS)
def test_the_prose_leads_to_every_picture(path):
    """The cell before a picture is prose that names it, and says what is to be seen in it."""
    cells = read(path).cells
    for before, cell in pairwise(cells):
        if cell.cell_type == "code" and any(kind in one.get("data", {}) for one in cell.outputs for kind in PICTURES):
            assert before.cell_type == "markdown", cell.source
            assert NAMED.search(before.source), before.source


# -- what the prose says is what the outputs show ----------------------------------------------------------


NUMBER = re.compile(r"(?<![\w.,#+-])(0x[0-9a-f]+|\d+(?:\.\d+)?)(?![\w/]|[.,]\d|-\d)")
#: Targets of links, names of notebooks, steps (which have a test of their own).
NO_NUMBERS = re.compile(r"\[\d\d\w?\]\([^)]*\)|\]\([^)]*\)|archive, [\d./]+|CVE-[\d-]+|[Ss]teps?\s\d+( to \d+)?")
YEAR = re.compile(r"(19|20)\d\d")


@pytest.mark.parametrize("path", PATHS)
def test_numbers_in_the_prose_are_in_the_cells_or_their_outputs(path):
    told = re.sub(NO_NUMBERS, " ", prose(path)).lower()
    shown = "\n".join([*(cell.source for cell in code(read(path))), *texts(path)]).lower().replace("_", "")
    known = {one.rstrip(".") for one in re.findall(r"0x[0-9a-f]+|\d+(?:\.\d+)?", shown)}
    elsewhere = FROM_ELSEWHERE.get(path.stem, {})
    unknown = [one for one in NUMBER.findall(told) if not YEAR.fullmatch(one) and one not in known | set(elsewhere)]
    assert unknown == []


def rows(trace):
    """Return what a printed trace says at each step, by its number."""
    found = re.findall(r"^ *(\d+)!? +(.*)$", trace, re.MULTILINE)
    return {int(number): what for number, what in found}


@pytest.mark.parametrize("path", PATHS)
def test_what_the_prose_says_of_a_step_is_in_the_trace(path):
    told, known = prose(path), STEPS.get(path.stem, [])
    for sentence, trace, number, what in known:
        assert sentence in told
        assert any(what in rows(one).get(number, "") for one in texts(path) if one.startswith(trace))
    mentioned = {int(one) for pair in re.findall(r"[Ss]teps?\s(\d+)(?: to (\d+))?", told) for one in pair if one}
    assert mentioned <= {number for *_, number, _ in known}, "enter what is said of this step in STEPS"
