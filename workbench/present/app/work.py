"""Work on questions: each is a command line in a process of its own, which tells how far it is, and can be ended.

What a command has written when it is ended counts for nothing: an answer is the complete file of a command that ended
with status 0, or there is none.
"""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workbench.durable.guard import environment, guarded_folder
from workbench.errors import WorkbenchError
from workbench.printable import printable

MOST = 4  #: questions that are worked on at the same time
KEPT = 40  #: answers that can still be opened
LEFT_ALONE = 20.0  #: seconds after which work that nobody asks about is cancelled: its page was closed
GRACE = 2.0  #: seconds in which a command may end by itself

WORKING, DONE, FAILED, CANCELLED = "working", "done", "failed", "cancelled"
_LAUNCHER = (sys.executable, "-m", "workbench.present.app.launcher")
_PREFIX = "workbench: "
_TAIL = 4096  #: bytes at the end of what a command says that are read


@dataclass
class _Work:
    """One command at work."""

    words: Sequence[str]
    page: Path
    log: Path
    began: float = field(default_factory=time.monotonic)
    asked: float = field(default_factory=time.monotonic)  #: when somebody last asked how far it is
    stopped: float | None = None  #: when it was cancelled
    status: int | None = None  #: of the process, when it has ended


class Works:
    """The work on all questions, by number. Its methods may be called from any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._works: dict[int, _Work] = {}
        self._last = 0
        self._launcher = subprocess.Popen(
            _LAUNCHER, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(folder), start_new_session=True
        )
        self._listener = threading.Thread(target=self._listen, daemon=True)
        self._listener.start()

    def begin(self, words: Sequence[str]) -> int:
        """Begin to carry out ``workbench WORDS``, whose result is a page; return its number.

        Raises WorkbenchError if too much is being worked on, and if nothing can be.
        """
        with self._lock:
            if sum(work.status is None for work in self._works.values()) >= MOST:
                raise WorkbenchError(f"{MOST} questions are being worked on: wait, or cancel one")
            self._last += 1
            page, log = (self._folder / f"{self._last}.{end}" for end in ("html", "log"))
            if not self._order("begin", self._last, [*words, "--output", str(page)], str(log)):
                raise WorkbenchError("the process that begins the work has ended; start the app again")
            self._works[self._last] = _Work(words, page, log)
            for number in [one for one in self._works if one <= self._last - KEPT]:
                self._forget(number)
            return self._last

    def state(self, number: int) -> dict[str, Any] | None:
        """Return how far a work is, None if there is none of that number: state, said, seconds, command."""
        with self._lock:
            work = self._works.get(number)
            if work is None:
                return None
            work.asked = time.monotonic()
            said, state = _last_said(work.log), WORKING
            if work.stopped is not None:
                state, said = CANCELLED, "cancelled: nothing is known of these settings"
            elif work.status is not None:
                state = DONE if work.status == 0 and work.page.exists() else FAILED
                said = said or f"the process ended with status {work.status} and said nothing"
            seconds = int(work.asked - work.began)
            return {"state": state, "said": said, "seconds": seconds, "command": command_line(work.words)}

    def ended(self, number: int) -> bool:
        """Tell whether the process of a work has ended."""
        return self._works[number].status is not None

    def page(self, number: int) -> Path | None:
        """Return the file of an answer; None if there is none."""
        found = self.state(number)
        return self._folder / f"{number}.html" if found is not None and found["state"] == DONE else None

    def cancel(self, number: int) -> None:
        """End a work, if it is not at its end: at first as Ctrl-C would, after GRACE seconds for good (``tidy``)."""
        with self._lock:
            work = self._works.get(number)
            if work is not None and work.stopped is None and work.status is None:
                work.stopped = time.monotonic()
                self._order("signal", number, signal.SIGTERM)

    def tidy(self) -> None:
        """End what nobody waits for any more, and what does not end when it is told to; to be called regularly."""
        now = time.monotonic()
        with self._lock:
            alive = {number: work for number, work in self._works.items() if work.status is None}
            for number, work in alive.items():
                if work.stopped is not None and now - work.stopped > GRACE:
                    self._order("signal", number, signal.SIGKILL)
        for number, work in alive.items():
            if now - work.asked > LEFT_ALONE:
                self.cancel(number)

    def close(self) -> None:
        """End all work and wait until it has ended."""
        for number in list(self._works):
            self.cancel(number)
        until = time.monotonic() + GRACE
        while time.monotonic() < until and any(work.status is None for work in self._works.values()):
            time.sleep(0.02)
        assert self._launcher.stdin is not None
        assert self._launcher.stdout is not None
        with suppress(BrokenPipeError):
            self._launcher.stdin.close()  # it ends, and what is left with it
        self._listener.join()
        self._launcher.wait()
        self._launcher.stdout.close()

    def _order(self, *words: Any) -> bool:
        """Tell the launcher something; return whether it is still there."""
        assert self._launcher.stdin is not None
        with suppress(BrokenPipeError):
            self._launcher.stdin.write(json.dumps(words).encode() + b"\n")
            self._launcher.stdin.flush()
            return True
        return False

    def _listen(self) -> None:
        """Note which commands have ended; run by a thread of its own."""
        assert self._launcher.stdout is not None
        for line in self._launcher.stdout:
            number, status = json.loads(line)
            with self._lock:
                if number in self._works:
                    self._works[number].status = status
        with self._lock:  # the launcher has ended: nothing more is heard of what it had begun
            for work in self._works.values():
                if work.status is None:
                    work.status = -signal.SIGKILL

    def _forget(self, number: int) -> None:
        work = self._works[number]
        if work.status is not None:
            del self._works[number]
            for file in (work.page, work.log):
                file.unlink(missing_ok=True)


@contextmanager
def at_work() -> Iterator[Works]:
    """Yield works whose processes and files are gone afterwards, also if this process is killed."""
    with guarded_folder() as folder:
        works = Works(folder)
        try:
            yield works
        finally:
            works.close()


def command_line(words: Sequence[str]) -> str:
    """Return the command line of a work, as it could be typed: its page is in a file of its kind's name."""
    return shlex.join(["workbench", *words, "-o", f"{words[1]}.html"])


def _last_said(log: Path) -> str:
    """Return what a command has said last, complete or not, in one line; an error may list names in lines below it."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _TAIL))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    *_, last = f"\n{text}".split(f"\n{_PREFIX}")
    lines = [line for line in last.splitlines() if line.strip()]
    said = lines if _PREFIX in text else lines[-1:]
    return printable(" ".join(" ".join(said).split()))


__all__ = ["Works", "at_work", "command_line"]
