"""Long commands with ``--state``: a second run gives the same bytes, a stopped one goes on, a partial one says so."""

import csv
import json
import signal

import pytest

from workbench.checking.failures import FAILURES
from workbench.cli import main
from workbench.durable.store import FILE
from workbench.measure import compare
from workbench.measure.exploration import tasks as tasks_module
from workbench.measure.exploration.cells import is_unfinished
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.exploration.mitigations import changes
from workbench.present.figures.matrix import failures as figure
from workbench.present.widgets.registers import RegisterPanel

MATRIX = "matrix --protocols generic --events boot,migrate --property F02,S01 --jobs 1"
COMMANDS = {
    "matrix": (f"{MATRIX} --vcpus 1", "2 of 2 searches"),
    "matrix with mitigations": (f"{MATRIX} --vcpus 1 --mitigations carry-registry", "4 of 4 searches"),
    "explore": ("explore generic --events boot,descriptor-race", "2 of 2 searches"),
    "explore, table": ("explore generic --events descriptor-race --trace table", "1 of 1 searches"),
    "explore, replay": ("explore generic --events descriptor-race --trace replay", "1 of 1 searches"),
    "history": ("history --bug B6,B4", "2 of 2 cases"),
    "history, csv": ("history --bug B6 --format csv", "1 of 1 cases"),
    "compare": ("compare --vcpus 2 --events boot,migrate --format csv", "4 of 4 runs"),
    "crosscheck": pytest.param(
        "crosscheck generic --events boot --vcpus 1 --features steal_time", "1 of 1 models", marks=pytest.mark.spin
    ),
    "kvm": pytest.param("kvm --vcpus 1 --events boot --protocols generic", "1 of 1 runs on KVM", marks=pytest.mark.kvm),
}


def said(capsys, line, *more):
    status = main([*line.split(), *map(str, more)])
    return status, *capsys.readouterr()


@pytest.mark.parametrize(("line", "kept"), COMMANDS.values(), ids=COMMANDS)
def test_what_is_kept_gives_the_same_bytes(capsys, tmp_path, line, kept):
    plain = said(capsys, line)
    first = said(capsys, line, "--state", tmp_path / "state")
    assert first == plain
    status, out, err = said(capsys, line, "--state", tmp_path / "state")
    assert (status, out) == plain[:2]
    assert err == f"workbench: {kept} kept from an earlier run in {str(tmp_path / 'state')!r}\n"
    assert said(capsys, line, "--state", tmp_path / "state", "--fresh") == plain


@pytest.mark.parametrize("form", ["json", "csv"])
def test_every_form_of_a_kept_exploration(capsys, tmp_path, form):
    line = "explore generic --events boot,descriptor-race"
    said(capsys, line, "--state", tmp_path / "state")
    kept = said(capsys, line, "--state", tmp_path / "state", "--format", form)[1]
    new = said(capsys, line, "--format", form)[1]
    if form == "csv":
        assert kept == new
    else:
        assert without_time(json.loads(kept)) == without_time(json.loads(new))


def without_time(value):
    if isinstance(value, dict):
        return {key: without_time(one) for key, one in value.items() if key != "seconds"}
    return [without_time(one) for one in value] if isinstance(value, list) else value


@pytest.mark.parametrize("option", ["--max-states 40", "--updates 0", "--features kvmclock", "--mitigations copy-once"])
def test_another_question_is_another_piece(capsys, tmp_path, option):
    line = "explore generic --events boot"
    said(capsys, line, "--state", tmp_path / "state")
    assert said(capsys, f"{line} {option}", "--state", tmp_path / "state") == said(capsys, f"{line} {option}")


def test_a_limit_in_the_key_is_kept_and_one_of_the_machine_is_not(capsys, tmp_path, monkeypatch):
    line = "matrix --protocols generic --events migrate --vcpus 1 --jobs 1"
    said(capsys, f"{line} --max-states 40", "--state", tmp_path / "state")
    assert "1 of 1" in said(capsys, f"{line} --max-states 40", "--state", tmp_path / "state")[2]
    monkeypatch.setattr("workbench.measure.exploration.tasks.half_of_memory", lambda sharing: 100)
    assert "limit of 100 bytes" in said(capsys, line, "--state", tmp_path / "memory")[1]
    monkeypatch.undo()
    _, out, err = said(capsys, line, "--state", tmp_path / "memory")
    assert "limit of" not in out
    assert err == ""


def test_an_edit_of_the_protocol_is_another_content(capsys, tmp_path):
    file = tmp_path / "mine.py"
    source = "from workbench.protocols import Generic\n\nclass Mine(Generic):\n    name = 'mine'\n"
    file.write_text(source)
    line = f"matrix --protocols {file} --events boot --vcpus 1 --jobs 1"
    said(capsys, line, "--state", tmp_path / "state")
    assert "1 of 1" in said(capsys, line, "--state", tmp_path / "state")[2]
    file.write_text(f"{source}    title = 'changed'\n")
    assert "kept" not in said(capsys, line, "--state", tmp_path / "state")[2]


def test_fresh_without_a_state_is_a_mistake(capsys):
    status, _, err = said(capsys, f"{MATRIX} --fresh")
    assert (status, err.count("\n")) == (2, 1)


def test_a_damaged_state_is_one_line_and_status_2(capsys, tmp_path):
    said(capsys, f"{MATRIX} --vcpus 1", "--state", tmp_path / "state")
    (tmp_path / "state" / FILE).write_text("hello")
    status, out, err = said(capsys, f"{MATRIX} --vcpus 1", "--state", tmp_path / "state")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "is damaged, or not one of workbench" in err


# -- stopped -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def stopped_at(monkeypatch):
    """Return a function that lets the search of a number be stopped, as by Ctrl-C."""

    def stop(number):
        real, count = tasks_module.work, iter(range(1000))

        def work(task):
            if next(count) == number:
                signal.raise_signal(signal.SIGINT)
            return real(task)

        monkeypatch.setattr(tasks_module, "work", work)
        return monkeypatch.undo

    return stop


def test_a_stopped_matrix_keeps_the_old_file_and_goes_on(capsys, tmp_path, stopped_at):
    whole = said(capsys, f"{MATRIX} --vcpus 1 --mitigations carry-registry")[1]
    file, state = tmp_path / "matrix.txt", tmp_path / "state"
    file.write_text("old")
    line = f"{MATRIX} --vcpus 1 --mitigations carry-registry -o {file}"
    go_on = stopped_at(2)
    status, out, err = said(capsys, line, "--state", state)
    assert (status, out, file.read_text()) == (130, "", "old")
    assert err == (
        f"workbench: interrupted; kept in {str(state)!r}: 2 of 4 searches; the same command goes on from there\n"
    )
    go_on()
    status, out, err = said(capsys, line, "--state", state)
    assert (status, file.read_text()) == (0, whole)
    assert "2 of 4 searches kept" in err


@pytest.mark.parametrize("form", ["text", "json", "csv"])
def test_a_partial_matrix_is_bounded_where_a_size_is_lacking(capsys, stopped_at, form):
    stopped_at(2)  # boot has a few sizes left, migrate all
    status, out, err = said(capsys, f"{MATRIX} --partial --format {form}")
    assert status == 130
    assert err == "workbench: interrupted; nothing is kept; with --state DIR what is finished would be\n"
    if form == "text":
        assert "generic under boot: interrupted: 2 of" in " ".join(out.split())
        assert "4 BOUNDED" in out
        assert "HOLDS" not in out
    else:
        found = json.loads(out) if form == "json" else records(out)
        asked = [(event, code) for event in ("boot", "migrate") for code in ("F02", "S01")]
        assert [(one["event"], one["property"]) for one in found] == asked
        assert {one["verdict"] for one in found} == {"BOUNDED"}
        assert all(one["note"].startswith("interrupted: ") for one in found)


def records(text):
    return list(csv.DictReader(text.splitlines()))


def test_a_failure_at_an_explored_size_is_told_and_the_cell_stays_bounded(stopped_at):
    stopped_at(1)
    sizes = [Size(1, ("steal_time",)), Size(1, ("kvmclock",))]
    (cell,) = [one for one in matrix(["generic"], ["migrate"], sizes=sizes, partial=True) if one.property == "F02"]
    assert (cell.verdict, cell.note) == ("BOUNDED", "interrupted: 1 of 2 sizes explored, FAILS at one of them")
    assert [violator.what for violator in cell.violators] == ["steal_time"]


def test_the_library_stops_unless_asked_for_a_part(stopped_at, tmp_path):
    stopped_at(1)
    with pytest.raises(KeyboardInterrupt) as stop:
        matrix(["generic"], ["boot", "migrate"], sizes=[Size(1, ("steal_time",))], state=tmp_path / "state")
    assert "1 of 2 searches" in stop.value.__notes__[0]


def test_a_picture_and_the_effects_of_an_unfinished_matrix(stopped_at):
    sizes = [Size(1, ("steal_time",))]
    whole = matrix(["generic"], ["boot", "migrate"], sizes=sizes)
    stopped_at(1)
    part = matrix(["generic"], ["boot", "migrate"], sizes=sizes, partial=True)
    assert {cell.event for cell in part if is_unfinished(cell)} == {"migrate"}
    assert changes(whole, part) == changes(part, whole) == ()
    told = " ".join(text.get_text() for text in figure(part).axes[0].texts)
    assert "interrupted" in told
    assert "interrupted" not in " ".join(text.get_text() for text in figure(whole).axes[0].texts)


def test_a_partial_exploration_names_what_is_left(capsys, monkeypatch):
    from workbench.measure.exploration import explore

    real = explore.explored

    def explored(question, *args, **options):
        if question.event.name == "migrate":
            signal.raise_signal(signal.SIGINT)
        return real(question, *args, **options)

    monkeypatch.setattr(explore, "explored", explored)
    line = "explore generic --events boot,migrate --property F02"
    assert said(capsys, line) == (
        130, "", "workbench: interrupted; nothing is kept; with --state DIR what is finished would be\n"
    )  # fmt: skip
    status, out, _ = said(capsys, f"{line} --partial")
    assert status == 130
    assert out.startswith("generic: BOUNDED\n")
    assert "interrupted; not explored: migrate" in out
    found = json.loads(said(capsys, f"{line} --partial --format json")[1])
    assert (found["verdict"], found["interrupted"]) == ("BOUNDED", ["migrate"])
    rows = records(said(capsys, f"{line} --partial --format csv")[1])
    assert [(row["event"], row["verdict"], row["note"]) for row in rows][1] == ("migrate", "BOUNDED", "interrupted")


@pytest.mark.parametrize("line", ["compare --vcpus 1 --events boot,migrate", "history --bug B6", "list"])
def test_a_program_that_swallows_the_stop_does_not_lead_to_a_result(capsys, monkeypatch, line, tmp_path):
    """Such as an author's handler with a bare except."""
    from workbench.commands import _options

    real = _options.check_output

    def check(args):
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt:
            real(args)

    monkeypatch.setattr(_options, "check_output", check)
    (tmp_path / "old").write_text("old")
    status, out, err = said(capsys, line, "-o", tmp_path / "old")
    assert (status, out, (tmp_path / "old").read_text()) == (143, "", "old")
    assert err.startswith("workbench: terminated")


SWALLOWS = """
import signal
from workbench.protocols import Generic

class Mine(Generic):
    name = "mine"

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        try:
            signal.raise_signal(signal.SIGINT)
        except:
            pass
        return (yield from super().on_wrmsr(cpu, msr, value, host_initiated=host_initiated))
"""


def test_what_was_computed_after_a_swallowed_stop_is_not_kept(capsys, tmp_path):
    (tmp_path / "mine.py").write_text(SWALLOWS)
    line = f"compare --protocols {tmp_path / 'mine.py'} --events boot --vcpus 1"
    status, out, err = said(capsys, line, "--state", tmp_path / "state")
    assert (status, out) == (130, "")
    assert "0 of 1 runs" in err


def test_a_search_that_is_stopped_in_a_cell_stops_the_cell():
    """What follows it in the cell would take a search that saw little for one that saw all."""
    stopping = []

    def progress(now):
        stopping.append(now)
        raise KeyboardInterrupt

    question = Question.of("generic", "kexec", ["steal_time", "kvmclock"], vcpus=2)
    with pytest.raises(KeyboardInterrupt):
        explore_question(question, progress=progress)
    assert len(stopping) == 1
    part = explore_question(question, progress=progress, partial=True)
    assert part.interrupted
    assert part.result.verdict in ("BOUNDED", "FAILS")
    assert all(said != "HOLDS" or FAILURES[code].kind == "sometimes" for code, said in part.result.verdicts.items())


def test_a_widget_that_is_stopped_does_not_show_the_result_of_another_setting(monkeypatch):
    panel = RegisterPanel()
    assert panel.text
    monkeypatch.setattr(panel, "view", stopped)
    with pytest.raises(KeyboardInterrupt):
        panel.changed()
    assert panel.text.startswith("error: interrupted")


def stopped():
    raise KeyboardInterrupt


def test_a_comparison_of_the_library_is_kept(tmp_path):
    first = compare(["generic"], ["boot"], vcpus=2, state=tmp_path / "state")
    again = compare(["generic"], ["boot"], vcpus=2, state=str(tmp_path / "state"))
    assert first.equals(again)
    assert list(first.dtypes) == list(again.dtypes)
    assert list(map(type, first["value"])) == list(map(type, again["value"]))
