"""The checklist of hardware: what each design answers, and that an answer changes with the design."""

import json
import re
import shlex
from pathlib import Path

import pytest

from tests.rules.designs import slip
from workbench.cli import main
from workbench.features import choose
from workbench.measure.likeness.checklist import NO, NOTHING, POINTS, YES, likeness
from workbench.measure.variants import features_of, variant
from workbench.present.text.likeness import likeness_text

THIRD = f"{Path(__file__).parents[1] / 'protocols' / 'data' / 'third.py'}:RegisterArray"
#: In the order of POINTS: y, n, and - for what cannot be asked.
ANSWERS = {
    "generic": "nnnnnynnyny",
    "generic+copy-once": "nnnnnyynyny",
    "generic+init-revokes": "nnynnynnyny",
    "per_feature": "yynyynyyynn",
    "null": "-" * 11,
    "papr_vpa": "nnyyyyyyyny",  # of its own ABI; the guest prepares an area, and registers the VPA first
    THIRD: "yyyyyyyyyny",
}


@pytest.mark.parametrize("name", ANSWERS, ids=lambda name: name.rpartition(":")[2])
def test_what_each_design_answers(name):
    found = likeness(variant(name), features_of(variant(name)))
    assert "".join(found[point.name].word[0] for point in POINTS) == ANSWERS[name]


#: A design of one register that is like hardware in every point but one: the register has a state after INIT, and none
#: before; it can be read, saved and restored.
RIGHT = slip() + """
    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        return (yield Get(register(cpu.index, MSR))) or 0

    def on_init(self, cpu):
        yield Set(register(cpu.index, MSR), None)
        yield Set(area(cpu.index, "steal_time"), None)

    def save(self, cpus):
        saved = ()
        for cpu in cpus:
            saved += (((yield Get(register(cpu.index, MSR))) or 0),)
        return saved

    def restore(self, cpus, saved):
        for cpu, value in zip(cpus, saved):
            yield from self.on_wrmsr(cpu, MSR, value, host_initiated=True)

    def state(self, entries, cpus):
        kept = [cpu.index for cpu in cpus if register(cpu.index, MSR) in entries]
        return [StateEntry(index, "MINE", 16, 8, "KVM_GET/SET_MSRS", True, True) for index in kept]
"""
ANSWER = "        return (yield Get(register(cpu.index, MSR))) or 0"
STATE = '"KVM_GET/SET_MSRS", True, True)'
#: (what is changed in it, the point that is no longer answered "yes")
CHANGES = [
    ([(STATE, STATE.replace("True, True", "False, True"))], "state in registers"),
    ([(ANSWER, "        yield Get(register(cpu.index, MSR))\n        return 0")], "state in registers"),  # a lie
    ([(ANSWER, "        yield Get(register(cpu.index, MSR))\n        return 0")], "can be read back"),
    ([("        yield Set(register(cpu.index, MSR), None)\n", "")], "reset gives a known state"),
    ([('        yield Set(area(cpu.index, "steal_time"), None)\n', "")], "reset gives a known state"),  # still served
    ([("        gpa = value & ~63", "        gpa = (yield Load((value & ~63) + 64, U64)) or value & ~63")],
     "request in a register"),
    ([("        return HANDLED", "        yield Store(gpa + 64, 1, U64)\n        return HANDLED")],
     "no result in memory"),
    ([("return REFUSED if outcome is FAULT else ACCEPTED",
       "yield Wrmsr(MSR, gpa | 1)\n        return REFUSED if outcome is FAULT else ACCEPTED")], "one access"),
    ([(STATE, '"none", True, False)')], "generic save and restore"),
    ([(STATE, '"KVM_GET/SET_MSRS", True, False)')], "generic save and restore"),
    ([("MSR, value, host_initiated=True)", "MSR, 0, host_initiated=True)")], "generic save and restore"),
    ([("yield Set(register(cpu.index, MSR), value or None)", "yield Set(register(0, MSR), value or None)"),
      ('yield Set(area(cpu.index, "steal_time"), gpa', 'yield Set(area(0, "steal_time"), gpa')], "no effect elsewhere"),
    ([("        return HANDLED", "        yield Store(gpa, 1, U64)\n        return HANDLED")], "idempotent"),
    ([("if value & 1 and not (yield Backed(gpa, 64)):", "if False:")], "a refusal is told"),
]  # fmt: skip


def changed(tmp_path, changes):
    """Return the design with each (right, wrong) applied; the right text must be there."""
    text = RIGHT
    for right, wrong in changes:
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    path = tmp_path / "mine.py"
    path.write_text(text)
    return f"{path}:Mine"


def test_every_point_is_shown_to_be_answered_no():
    """By a change to a design that is right, or, where a register cannot be wrong, by a mitigation."""
    number = next(n for n, point in enumerate(POINTS) if point.name == "one atomic effect")
    assert (ANSWERS["generic"][number], ANSWERS["generic+copy-once"][number]) == ("n", "y")
    assert {point for _, point in CHANGES} | {POINTS[number].name} == {point.name for point in POINTS}


@pytest.mark.parametrize(("changes", "point"), CHANGES, ids=[f"{n} {one[1]}" for n, one in enumerate(CHANGES)])
def test_an_answer_changes_with_the_design(changes, point, tmp_path):
    (asked,) = [one for one in POINTS if one.name == point]
    for made, word in (((), YES), (changes, NO)):
        assert asked.ask(variant(changed(tmp_path, made)), choose(["steal_time"])).word == word


#: What the command of a "no" prints that shows it, by point; {} stands for anything.
SHOWN = {
    "state in registers": "no     ",
    "can be read back": "result: fault",
    "reset gives a known state": "after INIT:\n  re",
    "request in a register": "kernel  load kvm_memory_area",
    "no result in memory": "kernel  store 0 (u8) at 0x8010",
    "one access": "result: accepted; 2 exits",
    "one atomic effect": "!! host read the descriptor twice",
    "generic save and restore": "migrate  lost",
    "idempotent": "The same again:",
    "a refusal is told": "result: accepted",
}


def test_each_no_has_its_reason_and_a_command_that_shows_it(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {name: likeness(variant(name), choose()) for name in ("generic", "per_feature")}
    text = likeness_text(found, {name: name for name in found})
    assert all(len(line) <= 72 for line in text.splitlines())
    assert text.isascii()
    refused = [(name, point) for name in found for point in POINTS if found[name][point.name].word == NO]
    commands = re.findall(r"\$ workbench (.*)", text.replace(" \\\n", ""))
    assert {point.name for _, point in refused} == set(SHOWN)
    for (_, point), command in zip(refused, commands, strict=True):
        assert main(shlex.split(command)) == 0, command
        told = capsys.readouterr()
        assert told.err == ""
        assert SHOWN[point.name] in told.out, command


def test_steps_show_what_decides(capsys):
    """The second registration of a clock writes the area, that of steal time does not."""
    second = {}
    for feature in ("kvmclock", "steal_time"):
        assert main(["hardware", "--protocols", "per_feature", "--features", feature, "--steps", "idempotent"]) == 0
        told = capsys.readouterr().out
        assert all(len(line) <= 72 for line in told.splitlines())
        second[feature] = "store" in told.partition("The same again:")[2]
    assert second == {"kvmclock": True, "steal_time": False}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--steps", "idem"], "unknown point 'idem'"),
        (["--steps", "one atomic effect"], "is not decided by single operations; what shows it is workbench explore"),
        (["--steps", "idempotent", "--format", "json"], "--steps is text (allowed: --format text)"),
        (["--protocols", "noon"], "unknown protocol 'noon'"),
    ],
)
def test_bad_requests_are_told(arguments, said, capsys):
    assert main(["hardware", *arguments]) == 2
    told = capsys.readouterr()
    assert (said in told.err, told.out) == (True, "")


def test_the_command_writes_records(capsys):
    assert main(["hardware", "--protocols", "null,generic", "--features", "steal_time", "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 2 * len(POINTS)
    assert {one["answer"] for one in records if one["protocol"] == "null"} == {NOTHING}
