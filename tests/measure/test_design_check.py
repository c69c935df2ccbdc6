"""``workbench check``: what each line finds, by designs with one fault each; exit status; designs that ship."""

import pytest

from tests.rules.designs import slip
from workbench.cli import main
from workbench.measure.design_check import FAIL, PASS, SKIP, check
from workbench.protocols import FIRST

AREA = '        yield Set(area(cpu.index, "steal_time"), gpa if value & 1 else None)\n'
KEEP = "        yield Set(register(cpu.index, MSR), value or None)\n"
BEGIN = "        gpa = value & ~63\n"
SET_ORDER = """\
        for one in {"a", "b", "c", "d", "e", "f"}:
            yield Get(register(cpu.index, ord(one)))
"""
CARRIED = """
    def on_rdmsr(self, cpu, msr, *, host_initiated=False):
        return (yield Get(register(cpu.index, MSR))) or 0

    def save(self, cpus):
        saved = ()
        for cpu in cpus:
            saved += ((cpu.index, (yield Get(register(cpu.index, MSR)))),)
        return saved

    def restore(self, cpus, saved):
        for index, value in saved:
            yield from self.on_wrmsr(cpus[index], MSR, value or 0, host_initiated=True)

    def state(self, entries, cpus):
        return [StateEntry(k.cpu, "MSR", 16, 16, "KVM_SET_MSRS", True, True) for k in entries if k.kind == "register"]
"""
RIGHT = [("        return HANDLED\n", "        return HANDLED\n" + CARRIED)]

#: check -> (changes, a part of its FAIL)
FAULTS = {
    "runs under every event": ([(BEGIN, BEGIN + "        assert gpa < 1 << 32\n")], "AssertionError"),
    "same steps each time": ([(KEEP, SET_ORDER + KEEP)], "a run in another process differs"),
    "every feature registered at boot": ([('"steal_time")', 'f"steal{1}")')], "area(0, 'steal1')"),
    "save and restore": ([("value or 0, host", "(value or 0) + 64, host")], "register(0, 0x4b564d20)"),
    "a refused call changes nothing": (
        [(BEGIN, BEGIN + KEEP)],
        "steal_time at 0x10000000000 is refused, and register(0",
    ),
    "two vCPUs": (
        [(KEEP, '        if not value:\n            yield Set(area(0, "steal_time"), None)\n' + KEEP)],
        "vCPU 1 re",
    ),
    "any value": (
        [(BEGIN, BEGIN + "        kind = {0: 1, 1: 2}.get(value & 1 if value < 1 << 63 else 9) + 1\n")],
        "TypeError",
    ),
}


@pytest.fixture
def written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def write(*changes):
        file = tmp_path / "mine.py"
        file.write_text(slip(*changes))
        return str(file)

    return write


def statuses(report):
    return {line.what: line.status for line in report.lines}


def test_a_right_design_passes_every_check(written):
    report = check(written(*RIGHT))
    assert not report.failed
    assert set(statuses(report).values()) == {PASS, SKIP}
    skipped = {what for what, status in statuses(report).items() if status == SKIP}
    assert skipped <= {"an area across two pages", "real KVM"}


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_is_found_by_its_check(written, what):
    changes, told = FAULTS[what]
    text = slip(*RIGHT)
    for right, wrong in changes:
        assert text.count(right) == 1, right
        text = text.replace(right, wrong)
    file = written()
    with open(file, "w") as out:  # noqa: PTH123
        out.write(text)
    found = [line for line in check(file).lines if line.status == FAIL and line.what == what]
    assert found, what
    assert told in found[0].text


def test_slips_of_the_text_are_all_told_at_once(written, capsys):
    file = written(("yield Wrmsr(MSR, 0)", "Wrmsr(MSR, 0)"), ('    title = "one register"\n', ""))
    assert main(["check", file]) == 1
    said = capsys.readouterr().out
    assert said.count("FAIL  text and declarations") == 2
    assert "has no title" in said


def test_the_status_says_whether_anything_failed(written, capsys):
    assert main(["check", written(*RIGHT)]) == 0
    assert "0 failed" in capsys.readouterr().out
    assert main(["check", "nowhere.py"]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("workbench: protocol file 'nowhere.py' does not exist")
    assert main(["check", "generik"]) == 2
    assert main(["check", written(*RIGHT) + "+none"]) == 2


@pytest.mark.parametrize("name", FIRST)
def test_what_fails_of_the_shipped_designs_is_known(name):
    failed = [line for line in check(name).lines if line.status == FAIL]
    assert all("(known: R" in line.text for line in failed), failed
    assert len(failed) == {"generic": 1, "per_feature": 2, "null": 0}[name]


def test_the_same_design_mitigated_passes():
    assert not check("generic+carry-registry").failed


def test_what_is_vacuous_is_named(written):
    assert "double fetch" in check(written(*RIGHT)).vacuous


@pytest.mark.parametrize("features", ["steal_time", "kvmclock,async_pf"])
def test_a_register_that_was_never_written_may_be_restored_as_the_0_that_it_reads(features):
    """QEMU's list has all registers, whichever features the guest uses."""
    found = check("per_feature", features=features.split(","))
    assert [line.status for line in found.lines if line.what == "save and restore"] == [PASS]
