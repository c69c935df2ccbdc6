"""``workbench replay`` as other programs use it: output, exit status, and every example of docs/replay.md."""

import json
import re
import shlex

import pytest

from tests.hostile.told import told
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.core.vmm import STOPS_SHORT
from workbench.replay.form import REQUIRED
from workbench.replay.operations import OPERATIONS


@pytest.fixture
def library(repo):
    return [str(path) for path in sorted((repo / "tests/replay/library").glob("*.jsonl"))]


def test_the_library_passes(run_workbench, library):
    done = run_workbench("replay", *library)
    assert (done.returncode, done.stderr) == (0, "")
    assert re.fullmatch(r"[1-9]\d\d passed, 0 failed\n", done.stdout)


def test_a_mismatch_is_status_1_and_a_mistake_status_2(run_workbench, tmp_path):
    (tmp_path / "wrong.jsonl").write_text('{"op": "rdmsr", "msr": "0x12", "expect": {"value": 5}}\n')
    (tmp_path / "malformed.jsonl").write_text('{"op": "fly"}\n')
    done = run_workbench("replay", "wrong.jsonl")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        "wrong.jsonl:1: rdmsr cpu=0 msr=0x12: value: expected 0x5, observed 0x0\n0 passed, 1 failed\n"
    )
    done = run_workbench("replay", "wrong.jsonl", "malformed.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    first, names = told(done.stderr)
    assert first == 'malformed.jsonl:1: unknown operation "fly"'
    assert set(names) == set(OPERATIONS)
    done = run_workbench("replay", "wrong.jsonl", "absent.jsonl")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "workbench: replay file 'absent.jsonl' cannot be read: No such file or directory\n"


def test_json_is_a_list_whatever_the_files_contain(run_workbench, tmp_path):
    (tmp_path / "empty.jsonl").write_text("# nothing\n")
    assert run_workbench("replay", "--format", "json", "empty.jsonl").stdout == "[]\n"
    (tmp_path / "a.jsonl").write_text('{"op": "run"}\n{"op": "rdmsr", "msr": "0x12", "expect": {"value": 5}}\n')
    done = run_workbench("replay", "--format", "json", "a.jsonl")
    assert done.returncode == 1
    assert [record["ok"] for record in json.loads(done.stdout)] == [True, False]


def test_a_file_may_not_name_code(run_workbench, tmp_path):
    (tmp_path / "own.py").write_text("raise SystemExit('loaded')\n")
    (tmp_path / "f.jsonl").write_text('{"op": "machine", "protocol": "own.py:Own"}\n')
    done = run_workbench("replay", "f.jsonl")
    assert done.returncode == 2
    assert done.stderr.startswith('workbench: f.jsonl:1: machine: protocol: "own.py:Own" is not allowed\nallowed:\n')


OWN = """
from workbench.design import ACCEPTED, HANDLED, Protocol, Wrmsr

class Own(Protocol):
    name, title = "own", "one register"
    msrs = frozenset({0x5000})

    def register(self, cpu, feature, gpa):
        yield Wrmsr(0x5000, gpa)
        return ACCEPTED

    def on_wrmsr(self, cpu, msr, value, *, host_initiated=False):
        return HANDLED
        yield
"""


def test_the_command_line_may(run_workbench, tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    (tmp_path / "f.jsonl").write_text(
        '{"op": "wrmsr", "msr": "0x5000", "value": 0, "expect": {"outcome": "HANDLED"}}\n'
        '{"op": "wrmsr", "msr": "0x12", "value": 0, "expect": {"outcome": "UNKNOWN"}}\n'
    )
    done = run_workbench("replay", "--protocol", "own.py:Own", "f.jsonl")
    assert (done.returncode, done.stdout) == (0, "2 passed, 0 failed\n")


def test_names_that_are_not_text_do_not_end_in_a_traceback(run_workbench, tmp_path):
    done = run_workbench("replay", b"\xff.jsonl".decode("utf-8", "surrogateescape"))
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "Traceback" not in done.stderr


# -- docs/replay.md -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def manual(request):
    return (request.config.rootpath / "docs/replay.md").read_text()


def blocks(text, kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def status(done):
    """Return the exit status that the manual promises for this output."""
    if done.stderr:
        return 2
    return 1 if re.search(r"[1-9]\d* failed$|\"ok\": false", done.stdout, re.MULTILINE) else 0


def test_the_manual_shows_what_happens(manual, run_workbench, tmp_path):
    for block in blocks(manual, "jsonl"):
        name = block.splitlines()[0].removeprefix("# ")
        (tmp_path / name).write_text(block)
    sessions = blocks(manual, "console")
    assert len(sessions) >= 4
    for session in sessions:
        command, _, shown = session.partition("\n")
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program == "workbench"
        done = run_workbench(*arguments)
        assert done.stdout + done.stderr == shown, command
        assert done.returncode == status(done)


def shown_default(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def test_the_manual_lists_every_operation(manual):
    rows = re.findall(r"^\| `(\w+)` \|(.*?) \|(.*?)\|$", manual, re.MULTILINE)
    listed = {name: (re.sub(r"`", "", keys).strip(), re.sub(r"`", "", expects).strip()) for name, keys, expects in rows}
    spelled = {}
    unsaid = (REQUIRED, None, KVM_SUPPORTED, STOPS_SHORT)
    for name, form in OPERATIONS.items():
        keys = [
            key if field.default in unsaid else f"{key} = {shown_default(field.default)}"
            for key, field in form.fields.items()
        ]
        spelled[name] = (", ".join(keys), ", ".join(form.expects))
    assert listed == spelled
