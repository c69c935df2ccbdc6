"""The tokenizer of pasted C text: removes patch marks, mail quotes and comments, handles directives and #defines.

Rule: a line is dropped only if it cannot change a layout. Hunk boundaries and #if lines become tokens that
the parser refuses inside a struct, because members may be missing there.

Source: diff's unified format (GNU diffutils manual, "Detailed Unified"); C11 6.4 and 6.10 for the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple, NoReturn

from workbench.errors import LayoutError

MAX_DEPTH = 40
HUNK, CONDITIONAL = "@@", "#if"

_TOKEN = re.compile(
    r"(?P<space>\s+)|(?P<name>[A-Za-z_]\w*)|(?P<number>[0-9]\w*)|(?P<mark><<|>>|[-{}()\[\];:,*/%+&|^~=.<>!?])"
)
_COMMENT = re.compile(r"/\*.*?\*/|//[^\n]*", re.DOTALL)
_DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)", re.DOTALL)
_DEFINE = re.compile(r"([A-Za-z_]\w*)(\(?)(.*)", re.DOTALL)
_INERT_DIRECTIVES = frozenset({"include", "error", "warning", "line"})
_CONDITIONALS = frozenset({"if", "ifdef", "ifndef", "elif", "else", "endif"})


class Token(NamedTuple):
    """``kind`` is name, number, mark, boundary (a hunk or #if line) or end; ``line`` counts from 1."""

    kind: str
    text: str
    line: int


def refuse(line: int, message: str) -> NoReturn:
    """Raise a LayoutError about line ``line`` of the text."""
    raise LayoutError(f"line {line}: {message}")


def tokens_of(text: str) -> list[Token]:
    """The tokens of pasted C text with its #defines expanded, followed by one token of kind ``end``.

    Raises LayoutError for characters, directives or macros whose effect on a layout is not certain.
    """
    lines = _without_patch_marks(_without_quotes(text.splitlines()))
    macros = _Macros()
    raw: list[Token] = []
    for number, line in _logical_lines(_without_comments(lines)):
        directive = _DIRECTIVE.match(line)
        if line == HUNK:
            raw.append(Token("boundary", HUNK, number))
        elif directive:
            raw.extend(_directive(directive[1], directive[2], number, macros))
        else:
            raw.extend(_scan(line, number))
    return [*macros.expand(raw), Token("end", "end of the text", max(1, len(lines)))]


def _without_quotes(lines: list[str]) -> list[str]:
    """Remove the levels of mail quoting that all lines share; blank lines do not count."""
    while any(lines) and all(line.startswith(">") for line in lines if line.strip()):
        lines = [re.sub(r"^> ?", "", line) for line in lines]
    return lines


def _without_patch_marks(lines: list[str]) -> list[str]:
    """The new side of a patch, line for line; dropped lines become empty, hunk headers become ``@@``."""
    if not any(line.startswith(("+", "@@")) for line in lines):
        return lines
    hunks = any(line.startswith("@@") for line in lines)
    inside = not hunks or _starts_inside_hunk(lines)
    kept = []
    for line in lines:
        if line.startswith("@@"):
            inside = True
            kept.append(HUNK)
        elif line.startswith(("diff ", "+++ ", "--- ")) or line.rstrip() == "--":
            inside = inside and not (hunks and not line.startswith("+++ "))
            kept.append("")
        elif not inside or line.startswith("-"):
            kept.append("")
        else:
            kept.append(line[1:] if line[:1] in ("+", " ") else line)
    return kept


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
    part = _COMMENT.sub(lambda comment: " " + "\n" * comment[0].count("\n"), part)
    opened = part.find("/*")
    if opened < 0:
        return part
    if not patch:
        refuse(first_line + part.count("\n", 0, opened), "comment is not closed (expected */)")
    return part[:opened] + "\n" * part.count("\n", opened)


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


def _scan(line: str, number: int) -> Iterator[Token]:
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if not match:
            refuse(number, f"character {line[position]!a} has no place in a C declaration")
        position = match.end()
        if match.lastgroup and match.lastgroup != "space":
            yield Token(match.lastgroup, match[0], number)


def _directive(name: str, rest: str, line: int, macros: _Macros) -> list[Token]:
    if name == "define":
        macros.define(rest.strip(), line)
    elif name == "undef":
        macros.spoil(rest.strip(), f"#undef of {rest.strip()} in line {line}")
    elif name in _CONDITIONALS:
        return [Token("boundary", f"#{name}", line)]
    elif name not in _INERT_DIRECTIVES:
        refuse(line, f"#{name} may change a layout (allowed: #define, #include, and #if outside of a struct)")
    return []


class _Macros:
    """The object-like macros of a text; using a macro whose value is not certain is refused."""

    def __init__(self) -> None:
        self._bodies: dict[str, str] = {}
        self._spoiled: dict[str, str] = {}

    def define(self, text: str, line: int) -> None:
        match = _DEFINE.match(text)
        if not match:
            refuse(line, "#define without a name")
        name, parameters, body = match[1], match[2], " ".join(match[3].split())
        if parameters:
            self.spoil(name, f"#define of {name} in line {line} takes parameters")
        elif self._bodies.setdefault(name, body) != body:
            self.spoil(name, f"two different #defines of {name}, the second in line {line}")

    def spoil(self, name: str, reason: str) -> None:
        self._spoiled.setdefault(name, reason)

    def expand(self, tokens: list[Token], hidden: frozenset[str] = frozenset()) -> Iterator[Token]:
        """Replace macro names by their bodies; a macro is not expanded within itself (C11 6.10.3.4)."""
        for token in tokens:
            if token.kind != "name" or token.text in hidden:
                yield token
            elif token.text in self._spoiled:
                refuse(token.line, f"{token.text} is not certain: {self._spoiled[token.text]}")
            elif token.text in self._bodies:
                if len(hidden) >= MAX_DEPTH:
                    refuse(token.line, f"#defines nested deeper than {MAX_DEPTH}")
                body = list(_scan(self._bodies[token.text], token.line))
                yield from self.expand(body, hidden | {token.text})
            else:
                yield token
