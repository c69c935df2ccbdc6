"""Traces as text: 72 columns of ASCII, every step in its lane; replay files that run."""

import subprocess
import sys

import pytest

from tests.measure.golden_matrix import MUST_HAVE, question
from workbench.checking.failures import FAILURES
from workbench.clayout.layout import U8
from workbench.core.event_steps import Begin
from workbench.core.slots import EVENT, ProgramName, vcpu_slot
from workbench.core.steps import GUEST, KERNEL, USER, Exit, Load, Store, ToUser
from workbench.engines.explore import SlotVar
from workbench.measure.exploration.explore import TraceRow, explore_question
from workbench.measure.exploration.finding_replay import RecordedFinding
from workbench.present.finding_program import as_program
from workbench.present.text.trace import as_records, changes_table, diagram, lanes_of, where


def rows_of(case):
    protocol, event, features, vcpus, code = case
    exploration = explore_question(question(protocol, event, features, vcpus), [FAILURES[code]])
    return exploration, exploration.trace(FAILURES[code])


@pytest.mark.parametrize("case", MUST_HAVE, ids=lambda case: "-".join(map(str, case)))
def test_every_line_fits_and_every_step_is_there(case):
    exploration, rows = rows_of(case)
    for text in (diagram(rows), where(exploration.question.places(rows)), changes_table(rows)):
        assert text.isascii()
        assert text == "" or text.endswith("\n")
        assert max(map(len, text.splitlines()), default=0) <= 72
    numbers = [line[:3].strip() for line in diagram(rows).splitlines()[1:] if line[:3].strip()]
    assert numbers == [str(n) for n in range(1, len(rows) + 1)]
    assert [record["step"] for record in as_records(rows)] == [row.text for row in rows]


def test_lanes_and_arrows():
    boot, load = ProgramName("boot", (), None, 1, 0), Load(0x1010, U8)
    rows = [
        TraceRow(vcpu_slot(0), (GUEST, Exit("wrmsr", 0x4B564D03))),
        TraceRow(vcpu_slot(0), (KERNEL, ToUser("register_mem_area"))),
        TraceRow(vcpu_slot(0), (USER, Store(0x1010, 0, U8))),
        TraceRow(EVENT, Begin(1, boot), ((SlotVar(vcpu_slot(1)), None, (GUEST, load)),)),
        TraceRow(vcpu_slot(1), (GUEST, load)),
    ]
    assert lanes_of(rows) == ["vCPU0", "vCPU1", "KVM", "VMM", "event"]
    assert diagram(rows) == (
        "    vCPU0 vCPU1  KVM   VMM  event\n"
        "  1   *----------->     |     |    exit: wrmsr 0x4b564d03\n"
        "  2   |     |     *----->     |    exit to user space: register_mem_area\n"
        "      |     |     |     |     |      [vCPU 0]\n"
        "  3   |     |     |     *     |    store 0 (u8) at 0x1010 [vCPU 0]\n"
        "  4   |     <-----------------*    start boot on vCPU 1\n"
        "  5   |     *     |     |     |    load u8 at 0x1010\n"
    )
    assert diagram([]) == ""


def recorded(case):
    exploration, _ = rows_of(case)
    return RecordedFinding.of(exploration, FAILURES[case[-1]])


def test_a_replay_file_runs_as_a_program_and_as_a_test(tmp_path, repo):
    file = tmp_path / "test_finding.py"
    file.write_text(as_program(recorded(MUST_HAVE[0])))
    run = subprocess.run([sys.executable, str(file)], cwd=repo, capture_output=True, text=True, check=False,
                         env={"PYTHONPATH": str(repo)})  # fmt: skip
    assert run.stdout == "double fetch (F05), generic under descriptor-race, 8 steps: happened again\n"
    namespace = {"__name__": "replayed"}
    exec(compile(file.read_text(), str(file), "exec"), namespace)
    namespace["test_double_fetch_under_descriptor_race"]()


def test_a_finding_does_not_happen_where_it_was_mended():
    before = recorded(MUST_HAVE[0])
    mended = RecordedFinding("generic+copy-once", *(getattr(before, name) for name in
                      ("event", "features", "vcpus", "property", "turns")))  # fmt: skip
    assert "could not be replayed: turn 8: vcpu0 is about to " in mended.report()
    unviolated = RecordedFinding(before.protocol, before.event, before.features, before.vcpus, "F01", before.turns)
    assert not unviolated.happens()
