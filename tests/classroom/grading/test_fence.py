"""The fence holds: what a student's program tries against the machine, the teacher and the other students fails."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from workbench.classroom.grading.confined import _size, confined
from workbench.classroom.grading.fence import Limits, why_not
from workbench.paths import NOTEBOOKS

LIMITS = Limits(cpu=1, wall=0.6, file=1 << 20, disk=4 << 20, told=1 << 16)
pytestmark = pytest.mark.skipif(why_not() is not None, reason=str(why_not()))
OUTSIDE = Path(__file__)


def attempted(tmp_path, text, limits=LIMITS):
    """Run a program behind the fence; return what it told, or how it ended."""

    def work(tell):
        names = {"tell": tell, "outside": str(OUTSIDE)}
        try:
            exec(text, names)
        except BaseException as error:  # noqa: BLE001 - it is told
            tell(f"{type(error).__name__}: {error}")
        tell("end")

    folder = tmp_path / "inside"
    folder.mkdir(exist_ok=True)
    heard = confined(work, folder, limits)
    assert list(folder.iterdir()) == []
    return heard


REFUSED = {
    "fork": "import os; tell(os.fork())",
    "program": "import subprocess; tell(subprocess.run(['true']).returncode)",
    "thread": "import threading; threading.Thread(target=print).start(); tell(1)",
    "socket": "import socket; socket.socket(); tell(1)",
    "kill the parent": "import os; os.kill(os.getppid(), 0); tell(1)",
    "kill all": "import os; os.kill(-1, 0); tell(1)",
    "stop the group": "import os; os.killpg(0, 0); tell(1)",
    "read a test": "tell(open(outside).read())",
    "read a solution": f"tell(open({str(NOTEBOOKS / 'solutions' / '06-repair.ipynb')!r}).read())",
    "list a folder": "import os; tell(os.listdir(os.path.dirname(outside)))",
    "read the users": "tell(open('/etc/passwd').read())",
    "write": "open(outside, 'a'); tell(1)",
    "write into the package": "import workbench.cli as m; open(m.__file__, 'a'); tell(1)",
    "write beside": "open('/tmp/workbench-beside', 'w'); tell(1)",
    "write into shared memory": "open('/dev/shm/workbench-beside', 'w'); tell(1)",
    "delete": "import os; os.unlink(outside); tell(1)",
    "rename": "import os; os.rename(outside, outside + '.x'); tell(1)",
    "truncate": "import os; os.truncate(outside, 0); tell(1)",
    "mode": "import os; os.chmod(outside, 0); tell(1)",
    "time": "import os; os.utime(outside); tell(1)",
    "owner": "import os; os.chown(outside, 1, 1); tell(1)",
    "attribute": "import os; os.setxattr(outside, 'user.x', b'1'); tell(1)",
    "lock": "import fcntl; fcntl.flock(open('x', 'w'), fcntl.LOCK_EX); tell(1)",
    "link from outside": "import os; os.link(outside, 'linked'); tell(1)",
    "read by a link": "import os; os.symlink(outside, 's'); tell(open('s').read())",
    "memory of the parent": "import os; open(f'/proc/{os.getppid()}/mem', 'rb').read(1); tell(1)",
    "descriptors of the parent": "import os; tell(os.listdir(f'/proc/{os.getppid()}/fd'))",
    "environment of the parent": "import os; tell(open(f'/proc/{os.getppid()}/environ').read())",
    "its first environment": "tell(open('/proc/self/environ').read())",
    "lift a limit": "import resource as r; r.setrlimit(r.RLIMIT_CPU, (r.RLIM_INFINITY,) * 2); tell(1)",
    "memory file": "import os; tell(os.memfd_create('x'))",
    "system calls": "import ctypes; c = ctypes.CDLL(None, use_errno=True); assert c.prctl(1, 0) != 0; assert "
    "c.syscall(101, 0, 0, 0, 0) != 0; assert c.syscall(56, 17, 0, 0, 0, 0) < 0; raise OSError('all refused')",
    "all memory": "x = bytearray(4 << 30); tell(1)",
    "blocks": "import os; os.posix_fallocate(os.open('b', os.O_RDWR | os.O_CREAT), 0, 1 << 34); tell(1)",
    "large file": "open('x', 'wb').write(bytes(8 << 20)); tell(1)",
    "many files": "x = [open(f'{n}', 'w') for n in range(1000)]; tell(1)",
}


def test_what_the_fence_refuses_is_an_exception(tmp_path):
    before = OUTSIDE.read_bytes(), OUTSIDE.stat()
    lines = "\n".join(f"attempt({name!r}, {text!r})" for name, text in REFUSED.items())
    heard = attempted(tmp_path, f"{ATTEMPT}\n{lines}", LIMITS._replace(wall=20.0))
    assert (OUTSIDE.read_bytes(), OUTSIDE.stat().st_mtime_ns) == (before[0], before[1].st_mtime_ns)
    *said, end = heard.told
    assert end == "end"
    refusals = ("PermissionError", "OSError", "RuntimeError", "MemoryError", "ValueError")
    assert [one for one in said if one[1] not in refusals] == []
    assert [name for name, _ in said] == list(REFUSED)
    assert not Path("/tmp/workbench-beside").exists()


ATTEMPT = """
def attempt(name, text):
    try:
        exec(text, {"tell": lambda value: tell([name, repr(value)]), "outside": outside})
    except BaseException as error:
        tell([name, type(error).__name__])
"""

ENDED = {
    "status 0": ("import os; os._exit(0)", ""),
    "status 3": ("import os; os._exit(3)", "status 3"),
    "crash": ("import ctypes; ctypes.string_at(0)", "SIGSEGV"),
    "abort": ("import os; os.abort()", "SIG"),
    "loop": ("while True: pass", "time"),
    "loop, deaf": ("import signal; signal.signal(signal.SIGXCPU, signal.SIG_IGN)\nwhile True: pass", "time"),
    "sleep": ("import time; time.sleep(60)", "in time"),
    "loop in C": ("sum(range(10 ** 12))", "time"),
    "except": ("while True:\n try:\n  while True: pass\n except BaseException: pass", "time"),
    "disk": ("for n in range(10 ** 6): open(f'{n}', 'wb').write(bytes(1 << 20))", "files"),
    "empty files": ("for n in range(10 ** 7): open(f'{n}', 'wb')", "files"),
    "deep folders": ("import os\nfor n in range(4000): os.mkdir('d'); os.chdir('d')\nwhile True: pass", "files"),
    "talk": ("while True: tell('x' * 1000)", "more data"),
    "talk without lines": ("import os\nwhile True: os.write(3, b'x' * 1000)", "more data"),
    "closed pipe": ("import os, time; os.close(3); time.sleep(60)", "SIGKILL"),
    "recursion": ("import sys; sys.setrecursionlimit(10 ** 9)\ndef f(): f()\nf()", ""),
}


@pytest.mark.parametrize(("text", "why"), ENDED.values(), ids=ENDED)
def test_a_process_ends_whatever_it_does(tmp_path, text, why):
    begun = time.monotonic()
    heard = attempted(tmp_path, text, LIMITS if why in ("time", "in time", "") else LIMITS._replace(cpu=5, wall=8.0))
    assert time.monotonic() - begun < 10
    assert why in heard.why
    assert "end" not in heard.told or why == ""


def test_files_cannot_be_hidden_in_a_folder_that_may_not_be_read(tmp_path, monkeypatch):
    """The superuser may read all, so the refusal is made here."""
    (tmp_path / "folder").mkdir()
    assert 0 < _size(tmp_path) < 1 << 20

    def scandir(path):
        if str(path).endswith("folder"):
            raise PermissionError
        return found(path)

    found = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)
    assert _size(tmp_path) == float("inf")


def test_what_it_may_do_it_can(tmp_path):
    text = (
        "import os, json, tempfile; open('x', 'w').write('1'); os.mkdir('y'); tell(open('x').read())\n"
        "tell(tempfile.gettempdir() == os.getcwd() == os.environ['HOME'])\n"
        "import pandas, sqlite3; tell(sqlite3.connect('z').execute('select 2').fetchone()[0])"
    )
    assert attempted(tmp_path, text, Limits()).told == ["1", True, 2, "end"]


def test_nothing_of_the_parent_is_open_in_it(tmp_path):
    with (tmp_path / "secret").open("w+") as secret:
        secret.write("token")
        secret.flush()
        text = (
            "import os\ndef opened(n):\n try: return os.fstat(n) is not None\n except OSError: return False\n"
            "tell([n for n in range(4096) if opened(n)]); tell(os.environ.get('SECRET'))"
        )
        os.environ["SECRET"] = "token"
        try:
            told = attempted(tmp_path, text).told
        finally:
            del os.environ["SECRET"]
    assert told[0] == [0, 1, 2, 3], "0 to 2 are nothing, 3 is the pipe"
    assert told[1] is None


def test_lines_that_are_no_values_are_left_out(tmp_path):
    text = "import os; os.write(3, b'PASS\\n{\"a\": NaN}\\n\\xff\\n[' + b'[' * 5000 + b'\\n'); tell(7)"
    assert attempted(tmp_path, text).told == [7, "end"]


def test_it_ends_with_its_parent(tmp_path):
    """A process between is killed; the fenced one below it must be gone."""
    told, tell = os.pipe()
    between = os.fork()
    if between == 0:
        try:
            (tmp_path / "in").mkdir()

            def work(_):
                time.sleep(60)

            os.write(tell, b"%d\n" % os.getpid())
            confined(work, tmp_path / "in", Limits())
        finally:
            os._exit(0)
    os.read(told, 100)
    children = Path(f"/proc/{between}/task/{between}/children")
    deadline = time.monotonic() + 5
    while not (below := children.read_text().split()) and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(0.1)  # it is behind the fence by now
    os.kill(between, signal.SIGKILL)
    os.waitpid(between, 0)
    while Path(f"/proc/{below[0]}").exists() and _state(below[0]) != "Z" and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not Path(f"/proc/{below[0]}").exists() or _state(below[0]) == "Z"
    os.close(told)
    os.close(tell)


def _state(process):
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return "Z"


def test_the_words_of_a_kernel_without_landlock(monkeypatch):
    monkeypatch.setattr("workbench.classroom.grading.fence.landlock.version", lambda: 0)
    assert "Landlock" in why_not()
    monkeypatch.setattr("workbench.classroom.grading.fence.calls.is_there", lambda: False)
    assert "seccomp" in why_not()
    monkeypatch.setattr("workbench.classroom.grading.fence.calls.is_known", lambda: False)
    assert "x86-64" in why_not()
    assert json.dumps(why_not()).isascii()
