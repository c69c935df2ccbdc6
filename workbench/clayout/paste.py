"""Pasted text as plain C lines: without mail quotes, patch marks and comments, with continued lines joined.

Rule: a line is dropped only if it cannot change a layout. The boundary of a hunk becomes a line of its own, ``@@``,
because members may be missing there.

Source: diff's unified format (GNU diffutils manual, "Detailed Unified"); RFC 3676, section 4.5, for quotes in mails;
C11 5.1.1.2 for comments and continued lines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from textwrap import dedent

from workbench.clayout.text import ANSWER, HUNK, refuse

_COMMENT_OR_STRING = re.compile(r'"(?:[^"\\\n]|\\.)*"|/\*.*?\*/|//[^\n]*', re.DOTALL)
_GDB = re.compile(r"^(/\*[^*]*\*/)?\s*type = ")  # what ptype prints before a type
_NUMBERED = re.compile(r"^\s*\d+[:\t-]")
_BLAME = re.compile(r"^\^?[0-9a-f]{7,40}\s+(?:\S+\s+)?\([^()]*\d\) ?")  # what git blame puts before a line
_INITIALS = re.compile(r"^ ?[A-Z]{2,4}> ?")  # quote marks with the initials of who wrote it
_UNSEEN = dict.fromkeys(map(ord, "\u200b\u2060\ufeff"))  # characters without width, which web pages have
_QUOTED = re.compile(r"^[> ]*>")
_SIDE = {"new": "-", "old": "+"}  # the marks of the lines that are not on a side


def plain_lines(text: str, side: str = "new") -> list[tuple[int, str]]:
    """The lines of C that pasted text contains, numbered from 1; ``side``, new or old, is which of a patch counts.

    Raises LayoutError if a comment is not closed.
    """
    lines = _without_patch_marks(_bare(text.translate(_UNSEEN).splitlines()), side)
    return list(_logical_lines(_without_comments([_GDB.sub("", line) for line in lines])))


def _bare(lines: list[str]) -> list[str]:
    """Lines without what stands before all of them: what grep -n and git blame print, quotes, a patch's indentation."""
    for mark in (_NUMBERED, _BLAME):
        if any(lines) and all(map(mark.match, filter(str.strip, lines))):
            lines = [mark.sub("", line) for line in lines]
    if sum(map(bool, map(_INITIALS.match, lines))) > 1:
        lines = [_INITIALS.sub("> ", line) for line in lines]
    lines = _without_quotes(lines)
    flush = dedent("\n".join(lines)).split("\n")
    return flush if any(line.startswith("@@") for line in flush) else lines


def _without_quotes(lines: list[str]) -> list[str]:
    """Remove the marks of mail quoting: those that all lines share, or of each line where an answer stands between.

    Where all code is quoted, the lines that are not are an answer in words, and are dropped; one that may be a member
    becomes ANSWER.
    """
    while any(lines) and all(line.startswith((">", "|")) for line in lines if line.strip()):
        lines = [re.sub(r"^[>|] ?", "", line) for line in lines]
    quoted = [bool(_QUOTED.match(line)) for line in lines]
    code = [("{" in line or "}" in line) for line in lines]
    if not any(q and c for q, c in zip(quoted, code, strict=True)):
        return lines
    answers = any(c for q, c in zip(quoted, code, strict=True) if not q)
    bare = [re.sub(r"^(> ?)+", "", line) for line in lines]
    if answers:
        return bare
    return [line if q else ANSWER * line.rstrip().endswith(";") for line, q in zip(bare, quoted, strict=True)]


def is_patch(text: str) -> bool:
    """Does the text have patch marks, so that it has two sides?"""
    return any(line.startswith(("+", "@@")) for line in _bare(text.splitlines()))


def _without_patch_marks(lines: list[str], side: str) -> list[str]:
    """One side of a patch, line for line; dropped lines become empty, hunk headers become ``@@``."""
    if not any(line.startswith(("+", "@@")) for line in lines):
        return lines
    hunks = any(line.startswith("@@") for line in lines)
    inside, parents = not hunks or _starts_inside_hunk(lines), 1
    kept = []
    for line in lines:
        if line.startswith("@@"):
            inside, parents = True, len(line) - len(line.lstrip("@")) - 1  # a merge has several, and as many marks
            kept.append(HUNK)
        elif line.startswith(("diff ", "+++ ", "--- ")) or line.rstrip() == "--":
            inside = inside and not (hunks and not line.startswith("+++ "))
            kept.append("")
        elif not inside or not _is_on(line[:parents], side):
            kept.append("")
        else:
            marks = len(line[:parents]) - len(line[:parents].lstrip("+- "))
            kept.append(line[marks:])
    return kept


def _is_on(marks: str, side: str) -> bool:
    """Is a line with these marks on a side? The old side of a merge is that of its first parent."""
    return _SIDE[side] not in (marks if side == "new" else marks[:1]) and not (side == "old" and "-" in marks[1:])


def _starts_inside_hunk(lines: list[str]) -> bool:
    """Is there a '+' line before the first hunk header? Then the paste began within a hunk."""
    for line in lines:
        if line.startswith("@@"):
            return False
        if line.startswith("+") and not line.startswith("+++ "):
            return True
    return False


def _without_comments(lines: list[str]) -> list[str]:
    """Blank out comments. A comment cut off by the start or end of a hunk counts up to that edge."""
    starts = [0, *(i for i, line in enumerate(lines) if line == HUNK), len(lines)]
    patch = HUNK in lines
    clean: list[str] = []
    for first, last in pairwise(starts):
        if first < last:
            clean.extend(_uncomment("\n".join(lines[first:last]), patch, first + 1).split("\n"))
    return clean


def _uncomment(part: str, patch: bool, first_line: int) -> str:
    head, end, tail = part.partition("*/")
    if patch and end and "/*" not in head:
        part = (HUNK if head.startswith(HUNK) else "") + "\n" * head.count("\n") + tail
    part = _COMMENT_OR_STRING.sub(_blank, part)
    opened = part.find("/*")
    if opened < 0 or '"' in part[part.rfind("\n", 0, opened) + 1 : opened]:
        return part
    if not patch:
        refuse(first_line + part.count("\n", 0, opened), "comment is not closed (expected */)")
    return part[:opened] + "\n" * part.count("\n", opened)


def _blank(found: re.Match[str]) -> str:
    """A comment as white space with the same number of lines; a string as it is."""
    return found[0] if found[0].startswith('"') else " " + "\n" * found[0].count("\n")


def _logical_lines(lines: list[str]) -> Iterator[tuple[int, str]]:
    """(line number, text) with backslash-continued lines joined."""
    pending, start = "", 0
    for number, line in enumerate(lines, 1):
        start = start or number
        if line.rstrip().endswith("\\"):
            pending += line.rstrip()[:-1] + " "
            continue
        yield start, pending + line
        pending, start = "", 0
    if pending:
        yield start, pending
