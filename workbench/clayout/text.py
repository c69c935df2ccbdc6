"""The tokens of C text, and the refusals that name their lines.

Rule: a character that no C declaration contains is a token of kind ``bad``. It spoils only the declaration that it
stands in; the parser refuses that one.

Source: C11 6.4 (lexical elements).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn, TypeAlias

from workbench.errors import LayoutError

MAX_DEPTH = 40
HUNK = "@@"
ANSWER = "@answer"  #: stands for a line between quoted ones that may be a member

Line: TypeAlias = int | str  #: the number of a line of the text itself, or "NAME line NUMBER" in an included header

_TOKEN = re.compile(
    r"(?P<space>\s+|\bstd::)|(?P<name>[A-Za-z_]\w*)|(?P<number>[0-9][\w.]*)|(?P<string>\"(?:[^\"\\\n]|\\.)*\")"
    r"|(?P<mark><<|>>|<=|>=|==|!=|&&|\|\||##|\.\.\.|->|[-{}()\[\];:,*/%+&|^~=.<>!?#])"
)


class Token(NamedTuple):
    """``kind`` is name, number, string, mark, boundary (a hunk or #if line), pragma, bad (``text`` says why) or end.

    ``column`` counts from 0.
    """

    kind: str
    text: str
    line: Line
    column: int = 0


def refuse(line: Line, message: str) -> NoReturn:
    """Raise a LayoutError about a line of the text, or of a header that it includes."""
    raise LayoutError(f"{told(line)}: {message}")


def told(line: Line) -> str:
    """Return how messages name a line."""
    return f"line {line}" if isinstance(line, int) else line


def scan(line: str, number: Line) -> Iterator[Token]:
    """Yield the tokens of one line without comments."""
    position = 0
    while position < len(line):
        match = _TOKEN.match(line, position)
        if not match:
            why = f"character {line[position]!a} has no place in a C declaration"
            yield Token("bad", why, number, position)
            position += 1
            continue
        if match.lastgroup and match.lastgroup != "space":
            yield Token(match.lastgroup, match[0], number, position)
        position = match.end()
