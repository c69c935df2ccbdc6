"""The checklist of hardware: what each design answers, and that an answer changes with the design."""

import json
import re
from pathlib import Path

import pytest

from tests.rules.designs import slip
from workbench.cli import main
from workbench.features import choose
from workbench.measure.likeness.checklist import NO, NOTHING, POINTS, YES, likeness
from workbench.measure.variants import variant
from workbench.present.text.likeness import likeness_text

THIRD = f"{Path(__file__).parents[1] / 'protocols' / 'data' / 'third.py'}:RegisterArray"
#: In the order of POINTS: y, n, and - for what cannot be asked.
ANSWERS = {
    "generic": "nnnnnynnyny",
    "generic+copy-once": "nnnnnyynyny",
    "generic+init-revokes": "nnynnynnyny",
    "per_feature": "yynyynyyynn",
    "null": "-" * 11,
    THIRD: "yyyyyyyyyny",
}


@pytest.mark.parametrize("name", ANSWERS, ids=lambda name: name.rpartition(":")[2])
def test_what_each_design_answers(name):
    found = likeness(variant(name), choose())
    assert "".join(found[point.name].word[0] for point in POINTS) == ANSWERS[name]


#: (what is changed in a design of one register, the point, its answers before and after)
CHANGES = [
    ([("yield Set(register(cpu.index, MSR), value or None)", "pass")], "can be read back", YES, NO),
    ([("if value & 1 and not (yield Backed(gpa, 64)):", "if False:")], "a refusal is told", YES, NO),
    ([("return REFUSED if outcome is FAULT else ACCEPTED",
       "yield Wrmsr(MSR, gpa | 1)\n        return REFUSED if outcome is FAULT else ACCEPTED")], "one access", YES, NO),
    ([("        return HANDLED", "        yield Store(gpa + 64, 1, U64)\n        return HANDLED")],
     "no result in memory", YES, NO),
    ([("        gpa = value & ~63", "        gpa = (yield Load((value & ~63) + 64, U64)) or value & ~63")],
     "request in a register", YES, NO),
    ([("yield Set(register(cpu.index, MSR), value or None)", "yield Set(register(0, MSR), value or None)"),
      ('area(cpu.index, "steal_time")', 'area(0, "steal_time")')], "no effect elsewhere", YES, NO),
    ([("        return HANDLED", "        yield Store(gpa, 1, U64)\n        return HANDLED")], "idempotent", YES, NO),
]  # fmt: skip
READS = (
    "    def on_rdmsr(self, cpu, msr, *, host_initiated=False):\n"
    "        return (yield Get(register(cpu.index, MSR))) or 0\n"
)


@pytest.mark.parametrize(("changes", "point", "before", "after"), CHANGES, ids=[one[1] for one in CHANGES])
def test_an_answer_changes_with_the_design(changes, point, before, after, tmp_path):
    def asked(name, *changes):
        path = tmp_path / f"{name}.py"
        path.write_text(slip(*changes) + "\n" + READS)
        return likeness(variant(f"{path}:Mine"), choose(["steal_time"]))[point].word

    assert (asked("right"), asked("wrong", *changes)) == (before, after)


def test_each_no_has_its_reason_and_a_command_that_runs(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    found = {name: likeness(variant(name), choose()) for name in ("generic", "per_feature")}
    text = likeness_text(found, {name: name for name in found})
    assert all(len(line) <= 72 for line in text.splitlines())
    assert text.isascii()
    assert text.count("    $ workbench") == sum(one.word == NO for own in found.values() for one in own.values())
    commands = re.findall(r"\$ workbench (.*)", text.replace(" \\\n", ""))
    for command in dict.fromkeys(commands):
        assert main(command.split()) == 0, command
        assert capsys.readouterr().err == ""


def test_the_command_writes_records(capsys):
    assert main(["hardware", "--protocols", "null,generic", "--features", "steal_time", "--format", "json"]) == 0
    records = json.loads(capsys.readouterr().out)
    assert len(records) == 2 * len(POINTS)
    assert {one["answer"] for one in records if one["protocol"] == "null"} == {NOTHING}
    assert main(["hardware", "--protocols", "noon"]) == 2
    assert capsys.readouterr().err.startswith("workbench: unknown protocol 'noon'")
