"""A feature and an event of one's own, named by the path of their file, in every command, in Python and in widgets."""

import json
import pickle
import shutil
import subprocess
import sys

import pytest

from tests.hostile.told import told
from tests.house.imports import ROOT
from workbench.cli import main
from workbench.core import own_files
from workbench.engines.explore import HOLDS
from workbench.errors import WorkbenchError
from workbench.features import FEATURES, choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle import choose as choose_events
from workbench.measure import compare
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.finding_replay import RecordedFinding
from workbench.measure.exploration.matrix import Size, Task, matrix
from workbench.present.trial import Trial

FEATURE, EVENT = "vpa.py:PvSched", "nap.py"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Go to a folder with a feature and an event of one's own."""
    shutil.copy(ROOT / "tests/additions/pv_sched.py", tmp_path / "vpa.py")
    shutil.copy(ROOT / "tests/additions/sleepy_vmm.py", tmp_path / "nap.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys, *arguments):
    assert main([str(word) for word in arguments]) == 0
    return capsys.readouterr().out


def complaint(capsys, *arguments):
    assert main([str(word) for word in arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    return told(captured.err)[0]


# -- every command -------------------------------------------------------------------------------------------------


def test_compare(capsys):
    text = said(capsys, "compare", "--vcpus", 2, "--features", f"steal_time,{FEATURE}", "--events", f"boot,{EVENT}")
    assert "features: steal_time, pv_sched (vpa.py:PvSched)\n" in text
    assert "events: boot, sleepy-vmm (nap.py)\n" in text
    again = text.split("command: workbench ")[1].replace("\\\n", "")
    assert said(capsys, *again.split()) == text


def test_all_and_ones_own(capsys):
    rows = json.loads(said(
        capsys, "compare", "--vcpus", 2, "--features", f"{FEATURE},all", "--events", f"{EVENT},boot",
        "--metrics", "areas", "--format", "json",
    ))  # fmt: skip
    assert {row["features"] for row in rows} == {",".join([*FEATURES, "pv_sched"])}
    assert [row["event"] for row in rows] == ["boot", "sleepy-vmm"] * 2, "what ships comes first"


def test_explore_names_the_files(capsys):
    text = said(capsys, "explore", "per_feature", "--features", FEATURE, "--events", EVENT)
    assert text.startswith(
        "per_feature: HOLDS\nsleepy-vmm (nap.py)\npv_sched (vpa.py:PvSched)\n\nsleepy-vmm (1 vCPU, pv_sched): HOLDS\n"
    )


@pytest.mark.parametrize("jobs", [1, 2])
def test_matrix(capsys, jobs):
    cells = json.loads(said(
        capsys, "matrix", "--protocols", "generic", "--features", FEATURE, "--events", f"{EVENT},migrate",
        "--property", "F01,F02,S01", "--jobs", jobs, "--format", "json",
    ))  # fmt: skip
    assert {(cell["event"], cell["property"]): cell["verdict"] for cell in cells} == {
        ("migrate", "F01"): "NOT EXERCISED", ("migrate", "F02"): "FAILS", ("migrate", "S01"): "HOLDS",
        ("sleepy-vmm", "F01"): "NOT EXERCISED", ("sleepy-vmm", "F02"): "HOLDS", ("sleepy-vmm", "S01"): "HOLDS",
    }  # fmt: skip
    assert {cell["features"] for cell in cells} == {"pv_sched"}


def test_matrix_text_names_the_files(capsys):
    asked = ("--protocols", "null", "--features", FEATURE, "--events", EVENT, "--jobs", 1)
    assert said(capsys, "matrix", *asked).endswith("\nsleepy-vmm (nap.py)\npv_sched (vpa.py:PvSched)\n")


def test_export_and_list(capsys, folder):
    said(capsys, "export", "promela", "null", "--features", FEATURE, "--events", EVENT, "-o", "x.pml")
    assert " * event     sleepy-vmm (nap.py): VMM sleeps for a while\n" in (folder / "x.pml").read_text()
    rows = json.loads(said(capsys, "list", "--features", f"{FEATURE},all", "--events", EVENT, "--format", "json"))
    names = {kind: [row["name"] for row in rows if row["kind"] == kind] for kind in ("feature", "event")}
    assert names == {"feature": [*FEATURES, "pv_sched"], "event": ["sleepy-vmm"]}


@pytest.mark.slow
def test_report(capsys, folder):
    said(capsys, "report", "r", "--vcpus", 1, "--features", FEATURE, "--events", EVENT, "--no-notebooks")
    assert "features: pv_sched (vpa.py:PvSched)\n" in (folder / "r/report.txt").read_text()


@pytest.mark.spin
def test_crosscheck(capsys):
    text = said(capsys, "crosscheck", "null", "--features", FEATURE, "--events", EVENT)
    assert "1 of 1 models are equal" in text


@pytest.mark.kvm
def test_kvm(capsys):
    rows = json.loads(said(
        capsys, "kvm", "--vcpus", 1, "--features", FEATURE, "--events", EVENT, "--protocols", "generic",
        "--format", "json",
    ))  # fmt: skip
    assert [(row["event"], row["simulated"], row["measured"]) for row in rows] == [
        ("sleepy-vmm", "registered", "registered")
    ]


def test_replay(capsys, folder):
    (folder / "f.jsonl").write_text(
        '{"op": "ram", "gpa": 0, "size": "0x10000"}\n'
        '{"op": "wrmsr", "msr": "0x4b564d30", "value": "0x1001", "expect": {"outcome": "HANDLED"}}\n'
    )
    assert said(capsys, "replay", "--features", f"all,{FEATURE}", "f.jsonl") == "1 passed, 0 failed\n"
    assert main(["replay", "f.jsonl"]) == 1, "no such register without the feature"


# -- Python and widgets --------------------------------------------------------------------------------------------


def test_python_takes_paths_and_the_things_themselves():
    (feature,), (event,) = choose([FEATURE]), choose_events([EVENT])
    assert choose([FEATURE]) == choose(["vpa.py"]) == choose([feature]) == (feature,), "one object, however named"
    by_path = compare(["generic"], [EVENT], [FEATURE], vcpus=2)
    assert by_path.equals(compare(["generic"], [event], [feature], vcpus=2))
    asked = Question.of("generic", EVENT, [FEATURE], vcpus=1)
    assert (asked.event, asked.features) == (event, (feature,))
    assert explore_question(asked).result.verdict == HOLDS
    cells = matrix(["generic"], [EVENT], sizes=[Size(1, (FEATURE,))])
    assert {(cell.event, cell.features) for cell in cells} == {("sleepy-vmm", "pv_sched")}
    assert Trial("per_feature", [FEATURE]).register("pv_sched", 0x1000).exits["exits"] == 1


def test_a_question_by_name_is_checked():
    with pytest.raises(WorkbenchError, match=r"^event 'cpu-hotplug' needs at least 2 vCPUs; here are 1$"):
        Question.of("generic", "cpu-hotplug", vcpus=1)
    assert Question.of("generic", "cpu-hotplug").vcpus == 2
    with pytest.raises(WorkbenchError, match=rf"^event 'all' stands for {len(EVENTS)}; one is expected$"):
        Question.of("generic", "all")


def test_a_recorded_finding_names_the_files():
    asked = Question.of("generic", "migrate", [FEATURE])
    exploration = explore_question(asked)
    failure = next(one for one in exploration.failures if one.code == "F02")
    recorded = RecordedFinding.of(exploration, failure)
    assert recorded.features == (FEATURE,)
    assert recorded.happens()


def test_a_task_travels_to_a_process_in_another_folder(folder, tmp_path_factory, monkeypatch):
    task = Task(Question.of("generic", EVENT).variant, choose_events([EVENT])[0], Size(1, (FEATURE,)), ("F01",), 1000)
    sent = pickle.dumps(task)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    program = f"import pickle; print(pickle.loads({sent!r}).event.name)"
    run = subprocess.run(
        [sys.executable, "-c", program], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("sleepy-vmm\n", "")


def test_widgets_take_them_as_typed_names():
    from workbench.present.widgets import ComparisonPanel, OperationPanel

    panel = ComparisonPanel(features=("kvmclock", FEATURE), events=EVENT)
    assert "registered" in panel.text
    panel.controls["features"].others.value = ""
    assert panel.controls["features"].value == ("kvmclock",)
    panel.controls["events"].value = "nowhere.py"
    assert "event file &#x27;nowhere.py&#x27; does not exist" in panel.error.value
    panel.controls["events"].value = f"{EVENT}+migrate"
    assert "lost" in panel.text
    assert "slice_ns" in OperationPanel("per_feature", FEATURE).drawing


# -- where a path leads --------------------------------------------------------------------------------------------


def test_a_path_may_be_relative_to_the_file_that_names_it(folder):
    (folder / "deep").mkdir()
    shutil.move("nap.py", "deep/beside.py")
    script = folder / "deep" / "script.py"
    script.write_text(
        "from workbench.measure import compare\n"
        "print(set(compare(['generic'], ['beside.py'], ['steal_time'], vcpus=1)['event']))\n"
    )
    run = subprocess.run(
        [sys.executable, script], env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (run.stdout, run.stderr) == ("{'sleepy-vmm'}\n", "")


@pytest.mark.parametrize("name", ["a,b/na,p.py", "a+b/na+p.py", "a:b/na:p.py", "a b/na p.py", "x.py/nap.py", "+,:.py"])
@pytest.mark.parametrize("suffix", ["", ":SleepyVmm"])
def test_paths_with_separators(capsys, folder, name, suffix):
    (folder / name).parent.mkdir(exist_ok=True)
    shutil.move("nap.py", folder / name)
    text = said(capsys, "compare", "--vcpus", 2, "--events", f"boot,{name}{suffix},init", "--metrics", "fate")
    assert f"events: boot, init, sleepy-vmm ({name}{suffix})" in " ".join(text.split())


def test_a_part_that_is_no_file_is_told_as_it_was_split(capsys, folder):
    assert complaint(capsys, "compare", "--events", "a,b.py") == "unknown event 'a'"
    assert complaint(capsys, "compare", "--events", "boot,b.py").startswith("event file 'b.py' does not exist")


def test_split_keeps_whole_paths_only(folder):
    (folder / "x,y.py").write_text("")
    assert own_files.split("x,y.py,z", ",") == ["x,y.py", "z"]
    assert own_files.split("x,y.pyc", ",") == ["x", "y.pyc"]
    assert own_files.split("x,y.py:A+b", "+") == ["x,y.py:A", "b"]
    assert own_files.split("b+x,y.py:A, c", ",") == ["b+x,y.py:A", "c"]
    assert own_files.split("", ",") == [""]


def test_a_changed_file_is_read_again(folder):
    (before,) = choose_events([EVENT])
    text = (folder / "nap.py").read_text()
    (folder / "nap.py").write_text(text.replace('"sleepy-vmm"', '"sleepier-vmm"'))
    (after,) = choose_events([EVENT])
    assert (before.name, after.name) == ("sleepy-vmm", "sleepier-vmm")


# -- what a file holds ---------------------------------------------------------------------------------------------

HEAD = "from workbench.design import AfterBoot, Event, Feature, Register, U32, enter_all, struct\n"
GOOD_EVENT = """
class Handover(AfterBoot):
    name, title = "handover", "the VM is handed over"

    def happen(self, scenario):
        yield from enter_all(scenario)
"""
GOOD_FEATURE = """
class Vpa(Feature):
    name, title = "vpa", "a page"
    payload = struct("struct vpa { __u32 count; };")
    size = 64
"""


def test_an_instance_may_be_named(folder):
    made = "\n    def __init__(self, name):\n        self.name = name\n\nA, B = Handover('a'), Handover('b')\n"
    (folder / "mine.py").write_text(HEAD + GOOD_EVENT + made)
    assert [event.name for event in choose_events(["mine.py:B", "mine.py:A"])] == ["b", "a"]
    with pytest.raises(WorkbenchError) as caught:
        choose_events(["mine.py"])
    assert str(caught.value) == "event file 'mine.py' names no class or instance; it defines: Handover, A, B"


def test_one_file_may_hold_all_three(folder, capsys):
    protocol = (ROOT / "tests/cli/third_protocol.py").read_text()
    feature = GOOD_FEATURE.replace('"vpa"', '"my_page"') + "    align = 64\n    linux_boot = 0\n"
    (folder / "mine.py").write_text(protocol + "\n" + HEAD + GOOD_EVENT + feature)
    rows = json.loads(said(
        capsys, "compare", "--vcpus", 1, "--protocols", "mine.py", "--events", "mine.py", "--features", "mine.py",
        "--metrics", "fate", "--format", "json",
    ))  # fmt: skip
    assert [(row["protocol"], row["event"], row["features"], row["value"]) for row in rows] == [
        ("packed", "handover", "my_page", "registered")
    ]


WRONG_FEATURES = [
    (('name, title = "vpa", "a page"', 'title = "a page"'), 'name is missing: its name: name = "steal_time"'),
    (
        ('name, title = "vpa", "a page"', 'name = "vpa"'),
        'title is missing: a few words for tables: title = "steal time"',
    ),
    (
        ("    payload", "    other"),
        'payload is missing: its structure: payload = struct("struct s { __u32 version; };")',
    ),
    (("    size = 64", ""), "size is missing: the bytes of its area: size = 64"),
    (("size = 64", 'size = "64"'), "size is '64', which is no value for the bytes of its area: size = 64"),
    (("size = 64", "size = -1"), "size is -1; allowed: 1 or more bytes, or 0 for a feature that is_value"),
    (("size = 64", "size = 64; align = 3"), "align is 3; allowed: powers of two"),
    (("size = 64", "size = 64; scope = 'cpu'"), "scope is 'cpu'; allowed: vcpu, vm"),
    (
        ("size = 64", "size = 64; update_when = []"),
        "update_when is []; allowed: entry, request, registration, event, never",
    ),
    (("size = 64", "size = 64; registers = (1,)"), "registers holds 1; allowed: Register(...)"),
    (("size = 64", "size = 64; update = 3"), "update is 3; Feature.update is a method"),
    (('"vpa"', '"v,a"'), "name is 'v,a'; allowed: letters, digits and _ . - only, 64 at most"),
    (('"vpa"', "7"), 'name is 7, which is no value for its name: name = "steal_time"'),
]
WRONG_EVENTS = [
    (('"handover"', "None"), 'name is None, which is no value for its name: name = "live-update"'),
    (("def happen", "def happens"), "method happen is missing: what happens, a generator of steps"),
    (
        ('over"\n', 'over"\n    min_vcpus = "2"\n'),
        "min_vcpus is '2', which is no value for the least number of vCPUs to which it can happen",
    ),
    (('over"\n', 'over"\n    min_vcpus = 0\n'), "min_vcpus is 0; allowed: 1 or more"),
]


@pytest.mark.parametrize(("change", "why"), WRONG_FEATURES, ids=range(len(WRONG_FEATURES)))
def test_a_feature_that_is_not_complete(capsys, folder, change, why):
    assert change[0] in GOOD_FEATURE
    (folder / "mine.py").write_text(HEAD + GOOD_FEATURE.replace(*change))
    assert complaint(capsys, "compare", "--features", "mine.py:Vpa", "-o", "x.txt") == f"feature mine.py:Vpa: {why}"
    assert not (folder / "x.txt").exists()


@pytest.mark.parametrize(("change", "why"), WRONG_EVENTS, ids=range(len(WRONG_EVENTS)))
def test_an_event_that_is_not_complete(capsys, folder, change, why):
    assert change[0] in GOOD_EVENT
    (folder / "mine.py").write_text(HEAD + GOOD_EVENT.replace(*change))
    told = complaint(capsys, "matrix", "--events", "mine.py:Handover", "-o", "x.txt")
    assert told == f"event mine.py:Handover: {why}"
    assert not (folder / "x.txt").exists()


def test_one_that_needs_arguments(capsys, folder):
    (folder / "mine.py").write_text(HEAD + GOOD_EVENT + "\n    def __init__(self, slow):\n        self.slow = slow\n")
    told = complaint(capsys, "explore", "null", "--events", "mine.py")
    assert told.startswith("event file 'mine.py': Handover() raises TypeError: ")
    assert told.endswith("; let the file hold an instance, MINE = Handover(...), and name that")


@pytest.mark.parametrize(
    ("option", "text", "name", "word"),
    [("--features", GOOD_FEATURE, "steal_time", "feature"), ("--events", GOOD_EVENT, "boot", "event")],
)
def test_a_name_that_ships_is_refused(capsys, folder, option, text, name, word):
    (folder / "mine.py").write_text(HEAD + text.replace('"vpa"', f'"{name}"').replace('"handover"', f'"{name}"'))
    told = complaint(capsys, "compare", option, "mine.py")
    assert told == f"{word} mine.py is called {name!r}, as one that ships; give it another name"


def test_two_of_one_name_are_refused(capsys, folder):
    shutil.copy("nap.py", "other.py")
    told = complaint(capsys, "compare", "--events", "nap.py,other.py")
    assert told == "two different events are called 'sleepy-vmm'; rename one of them"


COMMANDS = ("compare", "matrix", "list", "explore null", "crosscheck null", "report r", "export dot null -o x")


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(("option", "word"), [("--features", "feature"), ("--events", "event")])
def test_each_command_says_what_is_wrong_with_a_file(capsys, folder, command, option, word):
    kept = sorted(folder.iterdir())
    assert complaint(capsys, *command.split(), option, "no.py").startswith(f"{word} file 'no.py' does not exist")
    (folder / "bad.py").write_text("1 / 0\n")
    told = complaint(capsys, *command.split(), option, "bad.py")
    assert told == f"{word} file 'bad.py' does not load: ZeroDivisionError: division by zero (bad.py:1)"
    file, own = ("nap.py", "SleepyVmm") if word == "event" else ("vpa.py", "PvSched")
    told = complaint(capsys, *command.split(), option, f"{file}:Nothing")
    assert told == f"{word} file {file!r} has no {word} class or instance 'Nothing'; it defines: {own}"
    assert [path for path in sorted(folder.iterdir()) if path.name not in ("bad.py", "__pycache__")] == kept


def test_a_boot_of_ones_own_needs_no_list():
    assert "sleepy-vmm" not in EVENTS


def test_an_edit_of_the_same_size_is_seen_and_nothing_is_written_beside_the_file(folder):
    names = []
    for name in ("one", "two", "six"):
        (folder / "mine.py").write_text(HEAD + GOOD_EVENT.replace("handover", name))
        names += [event.name for event in choose_events(["mine.py"])]
    assert names == ["one", "two", "six"]
    assert not (folder / "__pycache__").exists()


@pytest.mark.parametrize("name", ["x" * 5000 + ".py", "a\0b.py", "vpa.py/x.py", ".py", "."])
def test_names_that_no_file_can_have(name):
    wrong = r"^(event file .* does not exist; looked at|unknown event |event .* has characters that cannot be printed)"
    with pytest.raises(WorkbenchError, match=wrong):
        choose_events([name])


def test_the_current_directory_may_be_gone(tmp_path, monkeypatch, capsys):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    assert complaint(capsys, "compare", "--events", "nap.py") == "event file 'nap.py' does not exist; looked at nap.py"
    assert [event.name for event in choose_events([f"{tmp_path}/nap.py"])] == ["sleepy-vmm"]
