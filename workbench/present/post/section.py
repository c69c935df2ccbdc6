"""What a part of a post returns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import NamedTuple

from workbench.present.text.table import WIDTH
from workbench.printable import ascii_only

PASS, FAIL, XFAIL, XPASS, SKIP = "PASS", "FAIL", "XFAIL", "XPASS", "SKIP"


class Check(NamedTuple):
    """One verdict line in the grammar of kvm-unit-tests (lib/report.c): a status, and what was checked."""

    status: str  #: PASS, FAIL, XFAIL (fails as is known), XPASS (holds although it is known to fail), SKIP
    what: str
    more: str = ""  #: where it fails, or why it is skipped


class Attachment(NamedTuple):
    """A file to go with a mail."""

    name: str
    content: bytes
    kind: str  #: its media type, one that lists accept: no HTML


@dataclass(frozen=True)
class Section:
    """One part: its claim is a sentence with a number; blocks are lines of at most 72 columns of ASCII."""

    title: str
    claim: str
    blocks: Sequence[str]
    commands: Sequence[Sequence[str]]  #: that show the same, each in pieces between which its line may be broken
    checks: Sequence[Check] = ()
    sources: Sequence[str] = ()
    attachments: Sequence[Attachment] = ()
    short: str = ""  #: the claim in one line, for the head of the post, if the claim itself is longer
    quote: str = ""  #: the sentence of a mail that it answers


def check_lines(checks: Iterable[Check]) -> list[str]:
    """Return the verdict lines; what does not fit into 72 columns becomes a line INFO, and a long name is cut."""
    lines = []
    for check in checks:
        line = f"{check.status}: {ascii_only(check.what)}"
        told = f"{line} ({ascii_only(check.more)})" if check.more else line
        if len(told) <= WIDTH:
            lines.append(told)
            continue
        name, colon, what = line.rpartition(": ")
        room = WIDTH - len(colon + what)
        lines.append(line if len(line) <= WIDTH else f"{name[: room - 3]}...{colon}{what}")
        if check.more:
            lines += wrap(f"INFO: {check.more}", WIDTH, subsequent_indent="INFO:   ", break_on_hyphens=False)
    return lines


def summary_line(checks: Sequence[Check]) -> str:
    """Return the line that kvm-unit-tests ends with: "SUMMARY: 12 tests, 2 unexpected failures, 1 skipped"."""
    words = {"unexpected failures": (FAIL, XPASS), "expected failures": (XFAIL,), "skipped": (SKIP,)}
    count = {word: sum(check.status in statuses for check in checks) for word, statuses in words.items()}
    told = "".join(f", {number} {word}" for word, number in count.items() if number)
    return f"SUMMARY: {len(checks)} tests{told}"
