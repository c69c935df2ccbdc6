"""The app without a browser: command lines of questions, work that is cancelled, who is answered."""

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from workbench.cli import main, parser
from workbench.errors import WorkbenchError
from workbench.present.app import work
from workbench.present.app.pages import asking
from workbench.present.app.questions import QUESTIONS, TICKED
from workbench.present.app.work import Works, command_line
from workbench.protocols import PROTOCOLS

ROOT = Path(__file__).resolve().parents[2]
LONG = ["page", "matrix", "--events=all", "--jobs=1"]
QUICK = ["page", "operation", "generic"]


def begun(field):
    return list(field.begins) if field.kind == TICKED else [",".join(field.begins)]


@pytest.mark.parametrize("question", QUESTIONS.values(), ids=QUESTIONS)
def test_a_form_as_it_is_at_first_is_a_command_line(question):
    filled = {field.name: begun(field) for field in question.fields}
    if question.name == "replay":
        filled["file"] = ["steal-time.jsonl"]
    args = parser().parse_args(question.command(filled))
    assert (args.command, args.kind) == ("page", question.name)
    assert all(f'name="{field.name}"' in asking(question) for field in question.fields)


def test_whatever_is_typed_stays_in_its_option():
    typed = {"protocols": ["generic", "--output=/tmp/x"], "events": ["-o x"], "vcpus": ["2"]}
    args = parser().parse_args(QUESTIONS["matrix"].command(typed))
    assert args.output is None
    assert (args.protocols, args.events, args.vcpus) == (["generic", "--output=/tmp/x"], ["-o x"], 2)


@pytest.mark.parametrize(
    ("name", "filled", "said"),
    [
        ("compare", {}, "name a protocol"),
        ("compare", {"protocol": ["generic"]}, "did you mean protocols?"),
        ("compare", {"protocols": "generic"}, "a list of texts"),
        ("compare", {"protocols": ["x" * 3000]}, "more than 2000 characters"),
        ("trace", {"protocol": ["--output=/tmp/x"]}, "no name begins with -"),
        ("replay", {"file": [" "]}, "name a file"),
    ],
)
def test_a_form_that_is_no_question(name, filled, said):
    with pytest.raises(WorkbenchError, match=said):
        QUESTIONS[name].command(filled)


@pytest.fixture(scope="module")
def works(tmp_path_factory):
    found = Works(tmp_path_factory.mktemp("works"))
    yield found
    found.close()


def ended(works, number, within=30.0):
    until = time.monotonic() + within
    while not works.ended(number):
        works.tidy()
        assert time.monotonic() < until, works.state(number)
        time.sleep(0.02)
    return works.state(number)


def test_an_answer_is_the_page_that_the_command_line_writes(works, tmp_path):
    number = works.begin(QUICK)
    state = ended(works, number)
    assert (state["state"], state["command"]) == ("done", "workbench page operation generic -o operation.html")
    assert main([*QUICK, "-o", str(tmp_path / "same.html")]) == 0
    assert works.page(number).read_bytes() == (tmp_path / "same.html").read_bytes()


def test_an_error_is_told_in_the_words_of_the_command_line(works):
    number = works.begin(["page", "operation", "gneric"])
    state = ended(works, number)
    assert state["state"] == "failed"
    assert state["said"].startswith("unknown protocol 'gneric'; did you mean generic?")
    assert works.page(number) is None


def test_an_error_that_lists_names_below_it_is_told_whole(works):
    state = ended(works, works.begin(["page", "operation", "<img>"]))
    assert state["said"].startswith("unknown protocol '<img>' known: generic ")
    assert {*PROTOCOLS} <= set(state["said"].split())


def test_cancelled_work_ends_and_has_no_answer(works):
    number = works.begin(LONG)
    assert works.state(number)["state"] == "working"
    works.cancel(number)
    assert ended(works, number, within=10)["said"] == "cancelled: nothing is known of these settings"
    assert works.page(number) is None
    assert not list(works._folder.glob(f"{number}.html*"))


def test_work_that_does_not_listen_is_killed(works, monkeypatch):
    monkeypatch.setattr(work, "GRACE", 0.1)
    number = works.begin(LONG)
    time.sleep(0.5)  # it has begun
    works._order("signal", number, signal.SIGSTOP)
    works.cancel(number)
    ended(works, number, within=5)
    assert works._works[number].status == -signal.SIGKILL


def test_work_of_a_closed_page_is_cancelled(works, monkeypatch):
    number = works.begin(LONG)
    works.tidy()
    assert works.state(number)["state"] == "working"
    monkeypatch.setattr(work, "LEFT_ALONE", 0.0)
    time.sleep(0.05)
    works.tidy()
    assert ended(works, number)["state"] == "cancelled"


def test_no_more_than_a_few_at_a_time_and_old_answers_go(works, monkeypatch):
    monkeypatch.setattr(work, "MOST", 1)
    number = works.begin(LONG)
    with pytest.raises(WorkbenchError, match="1 questions are being worked on"):
        works.begin(QUICK)
    works.cancel(number)
    ended(works, number)
    monkeypatch.setattr(work, "KEPT", 1)
    works.begin(["page", "operation", "gneric"])
    assert works.state(number) is None
    assert works.page(number) is None


def test_without_its_launcher_nothing_is_worked_on(tmp_path):
    works = Works(tmp_path)
    number = works.begin(LONG)
    while not (tmp_path / "1.log").exists():  # the process is there
        time.sleep(0.01)
    works._launcher.kill()
    assert ended(works, number)["said"] == "the process ended with status -9 and said nothing"
    with pytest.raises(WorkbenchError, match="start the app again"):
        works.begin(QUICK)
    works.close()
    until = time.monotonic() + 20
    while _processes_with(str(tmp_path).encode()):
        assert time.monotonic() < until
        time.sleep(0.05)


def test_a_command_line_can_be_typed():
    odd = command_line(["page", "compare", "--protocols=a b.py:C"])
    assert odd == "workbench page compare '--protocols=a b.py:C' -o compare.html"


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    """A server of its own; yields its address and its process."""
    folder = tmp_path_factory.mktemp("app")
    command = [sys.executable, "-m", "workbench", "app", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    yield urlsplit(server.stdout.readline().strip()), server
    server.terminate()
    assert server.communicate(timeout=20)[1] == "workbench: terminated; the app has ended\n"
    assert server.returncode == 128 + signal.SIGTERM
    assert list(folder.iterdir()) == []


def asked(app, place, body=None, method=None, **headers):
    address = app[0]
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=20)
    connection.request(method or ("GET" if body is None else "POST"), place, body, headers)
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer.status, text, answer.headers


def test_only_an_address_with_the_key_is_answered(app):
    key = app[0].path
    status, text, headers = asked(app, key)
    assert status == 200
    assert "What fails" in text
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    for place in ("/", "", "/compare", "/x/compare", key[:-2] + "/", f"/%00{key}", f"{key}..", f"{key}read/../compare"):
        assert asked(app, place)[0] == 404, place
    assert asked(app, "/ask/compare", b"{}")[0] == 404
    assert asked(app, key, method="PUT")[0] == 501


def test_only_notebooks_and_answers_are_files(app):
    key = app[0].path
    for place in ("read/..%2f..%2fREADME", "read/README", "page/999", "page/..%2f1", "work/x", "work/-1", "app.py"):
        assert asked(app, key + place)[0] == 404, place
    assert json.loads(asked(app, f"{key}work/999")[1])["state"] == "failed"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"protocols": [1]}', b'{"x": ["y"]}', b"\xff", b'{"a":' * 9000])
def test_what_is_no_question_is_answered_with_an_error(app, body):
    assert "error" in json.loads(asked(app, f"{app[0].path}ask/compare", body)[1])


def test_a_question_that_is_too_long_is_refused(app):
    assert asked(app, f"{app[0].path}ask/compare", b"x" * 70_000)[0] == 413


def test_a_notebook_is_read_without_its_code(app):
    status, text, _ = asked(app, f"{app[0].path}read/02-generic")
    assert status == 200
    assert "<h1" in text
    assert "import " not in text.partition("<script")[0]
    assert 'href="03-per-feature' in text or 'href="../compare"' in text


def test_a_port_in_use_is_one_line(app, capsys):
    assert main(["app", "--port", str(app[0].port)]) == 2
    assert "is in use; name another with --port N" in capsys.readouterr().err


@pytest.mark.parametrize("host", ["no.such.host.invalid", "192.0.2.1"])
def test_an_address_that_this_machine_does_not_have(capsys, host):
    assert main(["app", "--host", host, "--port", "0"]) == 2
    told = capsys.readouterr().err
    assert f"cannot listen at port 0 of {host!r}" in told
    assert "warning" in told
    assert "a design is a program" in told


def test_a_killed_app_leaves_nothing(tmp_path):
    command = [sys.executable, "-m", "workbench", "app", "--port", "0"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    address = urlsplit(server.stdout.readline().strip())
    filled = json.dumps({"protocols": ["generic"], "events": ["all"]})
    begun = json.loads(asked((address, server), f"{address.path}ask/matrix", filled)[1])
    assert begun["number"] == 1
    server.kill()
    server.communicate()
    mark = f"TMPDIR={tmp_path}".encode()
    for _ in range(100):
        if not list(tmp_path.iterdir()) and not _processes_with(mark):
            break
        time.sleep(0.1)
    assert list(tmp_path.iterdir()) == []
    assert _processes_with(mark) == []


def _processes_with(mark):
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes():
                found.append(process.name)
        except OSError:
            continue
    return found
