"""The commands in README.md work, and print what README.md shows.

Every fenced ``console`` block is a session: lines that start with ``$ `` are commands, the lines
below one are its output, and ``...`` stands for any lines. ``workbench`` and ``python`` commands are run and
must exit 0. A block that should not be run (it takes minutes, it opens a browser) has a comment just above
it, ``<!-- not run: the reason -->``. Of ``make`` commands only the target's existence is checked.

Each block runs in a folder of its own with links to the checkout's files, so that a command's output files stay there.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
RUN = {"workbench", "python"}
LEFT_TO_THE_READER = {"git", "cd", "sudo", "pip", "conda", "spin"}

BLOCK = re.compile(
    r"(?:^<!--\s*not run:(?P<reason>.*?)-->\s*\n)?^```console[^\n]*\n(?P<body>.*?)^```",
    re.DOTALL | re.MULTILINE,
)


@dataclass
class Command:
    """One command of a session and the output lines shown below it."""

    text: str
    shown: list[str] = field(default_factory=list)

    @property
    def program(self) -> str:
        return next(word for word in self.text.split() if "=" not in word)


@dataclass(frozen=True)
class Session:
    """One console block; ``reason`` is why it is not run, or None."""

    line: int
    reason: str | None
    commands: tuple[Command, ...]


def sessions(text: str) -> list[Session]:
    return [
        Session(
            text.count("\n", 0, m.start("body")), m["reason"] and m["reason"].strip(), _commands(m["body"])
        )
        for m in BLOCK.finditer(text)
    ]


def _commands(body: str) -> tuple[Command, ...]:
    found: list[Command] = []
    for line in body.replace("\\\n", " ").splitlines():
        if line.startswith("$ "):
            found.append(Command(line.removeprefix("$ ").strip()))
        else:
            assert found, f"output before the first command of a console block: {line!r}"
            found[-1].shown.append(line.rstrip())
    return tuple(found)


def difference(shown: list[str], printed: list[str]) -> str | None:
    """Return how ``printed`` differs from ``shown``; ``...`` matches any lines, trailing blanks are ignored."""
    shown, printed = _without_blank_end(shown), _without_blank_end(printed)
    pattern = "".join(r"(?:.*\n)*?" if line == "..." else re.escape(line) + r"\n" for line in shown)
    if re.fullmatch(pattern, "".join(line.rstrip() + "\n" for line in printed)):
        return None
    return "\n".join(["README shows:", *shown, "the command prints:", *printed])


def _without_blank_end(lines: list[str]) -> list[str]:
    return "\n".join(lines).rstrip().splitlines()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))


READ = sessions(README.read_text()) if README.exists() else []
COMMANDS = [command for session in READ for command in session.commands]
TO_RUN = [s for s in READ if s.reason is None and any(c.program in RUN for c in s.commands)]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Enter a folder that looks like the checkout; ``workbench`` and ``python`` are those under test."""
    here, bin_folder = tmp_path / "checkout", tmp_path / "bin"
    here.mkdir()
    bin_folder.mkdir()
    for entry in ROOT.iterdir():
        if not entry.name.startswith(".") and entry.name != "report":
            (here / entry.name).symlink_to(entry)
    for name, arguments in {"python": "", "workbench": "-m workbench "}.items():
        script = bin_folder / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n')
        script.chmod(0o755)
    monkeypatch.chdir(here)
    monkeypatch.setenv("PATH", f"{bin_folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return here


def test_there_is_a_readme_with_commands():
    assert README.exists()
    assert {"workbench", "make"} <= {command.program for command in COMMANDS}


def test_every_command_is_of_a_known_kind():
    assert {c.program for c in COMMANDS} <= RUN | LEFT_TO_THE_READER | {"make"}


def test_every_reason_not_to_run_is_a_reason():
    assert [s.line for s in READ if s.reason is not None and len(s.reason.split()) < 3] == []


@pytest.mark.parametrize("command", [c.text for c in COMMANDS if c.program == "make"])
def test_make_commands_name_targets(command):
    words = command.partition("#")[0].split()
    wanted = {word for word in words[1:] if "=" not in word and not word.startswith("-")}
    assert wanted - {"make"} <= make_targets(), f"{command}: the Makefile has {sorted(make_targets())}"


@pytest.mark.parametrize("session", [pytest.param(s, id=f"line {s.line}") for s in TO_RUN])
def test_commands_do_what_the_readme_says(session, checkout):
    for command in (c for c in session.commands if c.program in RUN):
        run = subprocess.run(
            ["bash", "-c", command.text],
            cwd=checkout,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, (
            f"$ {command.text}\nexit status {run.returncode}\n{run.stdout}{run.stderr}"
        )
        if any(command.shown):
            wrong = difference(command.shown, run.stdout.splitlines())
            assert wrong is None, f"$ {command.text}\n{wrong}"


SAMPLE = """
```console
$ workbench list \\
    --format text   # a comment
generic
...
$ make report
```

<!-- not run: it opens a browser -->
```console
$ FAST=1 workbench fuzz
```

```python
workbench("not a session")
```
"""


def test_sessions_are_read_as_written():
    first, second = sessions(SAMPLE)
    assert (first.line, first.reason, second.reason) == (2, None, "it opens a browser")
    assert [c.text for c in first.commands] == [
        "workbench list      --format text   # a comment",
        "make report",
    ]
    assert first.commands[0].shown == ["generic", "..."]
    assert second.commands[0].program == "workbench"


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        (["a", "b"], ["a", "b"], True),
        (["a", "b"], ["a"], False),
        (["a"], ["a", "b"], False),
        (["a.c"], ["abc"], False),
        (["a", "..."], ["a", "b", "c"], True),
        (["a", "...", "c"], ["a", "c"], True),
        (["a", "...", "c"], ["a", "b"], False),
        (["..."], [], True),
        (["a", ""], ["a"], True),
        (["a", "", "b"], ["a", "b"], False),
    ],
)
def test_shown_output_is_compared_line_by_line(shown, printed, same):
    assert (difference(shown, printed) is None) is same


def test_every_command_is_named():
    files = (ROOT / "workbench/commands").glob("[!_]*.py")
    text = README.read_text(encoding="utf-8")
    named = set(re.findall(r"`(?:workbench )?([a-z]+)[^`\n]*`", text)) | set(re.findall(r"\$ workbench (\w+)", text))
    assert {file.stem for file in files} - named == set()
