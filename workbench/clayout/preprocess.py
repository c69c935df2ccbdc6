"""The preprocessor: directives, conditions and included headers, for one ABI.

Rule: a condition is decided only if it is certain. In a paste, a name that the text does not define is not certain,
unless C or the ABI fixes it; then both branches are kept, with tokens of kind ``boundary`` between them, which the
parser refuses inside a struct. With headers at hand, a name that is not defined is just that, as for a compiler.

Source: C11 6.10.1 (conditions) and 6.10.2 (headers).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from itertools import product

from workbench.clayout.abi import Abi
from workbench.clayout.constants import constant
from workbench.clayout.macros import Macros
from workbench.clayout.paste import plain_lines
from workbench.clayout.predefined import NEVER, predefined
from workbench.clayout.reader import Cursor
from workbench.clayout.text import ANSWER, HUNK, MAX_DEPTH, Line, Token, refuse, scan
from workbench.errors import LayoutError

#: Finds an included header by its name as written, and, if that stands in quotes, the name of the header that includes
#: it; gives the name for messages and the text, or None if it is not there.
Headers = Callable[[str, str | None], tuple[str, str] | None]

_DIRECTIVE = re.compile(r"\s*#\s*(\w+)\s*(.*)", re.DOTALL)
_INCLUDED = re.compile(r"([<\"])([^>\"]+)[>\"]")
_INERT = frozenset({"error", "warning", "line", "ident", "include_next"})
_INERT_PRAGMA = re.compile(r"once\b|GCC\s+(diagnostic|system_header|poison|visibility)\b|GNUC\b|weak\b")

_MOST_UNKNOWN = 6
_ACTIVE = ("yes", "unsure")


def preprocess(
    text: str, abi: Abi, headers: Headers | None = None, defines: Iterable[str] = (), side: str = "new"
) -> list[Token]:
    """The tokens of ``text`` as a compiler for ``abi`` sees them, followed by one of kind ``end``.

    ``headers`` finds included headers; without it the text is a paste. ``defines``: NAME or NAME=VALUE of the user.
    Raises LayoutError if a comment is not closed, or if macros or headers grow beyond bounds.
    """
    lines = plain_lines(text, side)
    reading = _Preprocessor(abi, headers, defines)
    reading.file(lines, "")
    last = lines[-1][0] if lines else 1
    return [*reading.tokens(), Token("end", "end of the text", last)]


class _Preprocessor:
    def __init__(self, abi: Abi, headers: Headers | None, defines: Iterable[str]) -> None:
        given = [one.replace("=", " ", 1) if "=" in one else f"{one} 1" for one in defines]
        self._macros = Macros(headers is None, (*predefined(abi, headers is None), *given))
        self._headers = headers
        self._states: list[str] = []
        self._done: list[Token] = []
        self._raw: list[Token] = []
        self._depth = 0
        self._name = ""

    def file(self, lines: list[tuple[int, str]], name: str) -> None:
        """Read the lines of the text (``name`` is empty) or of a header."""
        for number, line in lines:
            where: Line = f"{name} line {number}" if name else number
            if line == HUNK and not name:
                self._raw.append(Token("boundary", HUNK, where))
            elif line == ANSWER:
                why = "a line between the quoted ones may be a member, take it out or quote it too"
                self._raw.append(Token("bad", why, where))
            elif "#" in line and (found := _DIRECTIVE.match(line)):
                self._directive(found[1], found[2].strip(), where)
            elif all(state in _ACTIVE for state in self._states):
                self._raw.extend(scan(line, where))

    def tokens(self) -> list[Token]:
        """All tokens so far, expanded. In a paste this comes last, because a #define may stand behind its use."""
        self._done.extend(self._macros.expand(self._raw))
        self._raw.clear()
        return self._done

    def _directive(self, name: str, rest: str, line: Line) -> None:
        if name in ("if", "ifdef", "ifndef", "elif", "else", "endif"):
            self._condition(name, rest, line)
        elif not all(state in _ACTIVE for state in self._states):
            return
        elif name == "define":
            self._settle()
            self._macros.define(rest, line)
        elif name == "undef":
            self._settle()
            self._macros.undefine(rest, line)
        elif name == "include":
            self._include(rest, line)
        elif name == "pragma":
            if not _INERT_PRAGMA.match(rest):
                self._raw.append(Token("pragma", " ".join(rest.split()), line))
        elif name not in _INERT:
            self._raw.append(Token("bad", f"#{name} is no directive of C", line))

    def _settle(self) -> None:
        """Expand what was read with the macros in force; in a paste they are in force everywhere."""
        if self._headers is not None:
            self.tokens()

    def _include(self, rest: str, line: Line) -> None:
        found = _INCLUDED.match(rest)
        header = None
        if self._headers is not None and found:
            header = self._headers(found[2], self._name if found[1] == '"' else None)
        if header is None:
            return
        if self._depth >= MAX_DEPTH:
            refuse(line, f"headers include each other deeper than {MAX_DEPTH}")
        self._settle()
        outer = self._states, self._name
        self._depth, self._states, self._name = self._depth + 1, [], header[0]
        self.file(_lines_of(header[1]), header[0])
        self._states, self._name = outer
        self._depth -= 1

    # ---- conditions

    def _condition(self, name: str, rest: str, line: Line) -> None:
        states = self._states
        if name.startswith("if"):
            inside = all(state in _ACTIVE for state in states)
            states.append(self._verdict(name, rest, line) if inside else "off")
        elif not states:
            self._raw.append(Token("boundary", f"#{name}", line))  # its beginning is not in the paste
            return
        elif name == "endif":
            if states.pop() == "unsure":
                self._raw.append(Token("boundary", "#endif", line))
            return
        elif states[-1] == "no":
            states[-1] = "yes" if name == "else" else self._verdict("if", rest, line)
        elif states[-1] == "yes":
            states[-1] = "done"
        if states[-1] == "unsure" and all(state in _ACTIVE for state in states):
            self._raw.append(Token("boundary", f"#{name}", line))

    def _verdict(self, name: str, rest: str, line: Line) -> str:
        self._settle()
        tokens = list(scan(rest, line))
        truth = self._is_defined(tokens[0].text) if name != "if" and tokens else self._truth(tokens, line)
        if truth is None:
            return "unsure"
        return "yes" if truth != (name == "ifndef") else "no"

    def _is_defined(self, name: str) -> bool | None:
        if name in self._macros:
            return True
        return False if self._headers is not None or name in NEVER else None

    def _truth(self, tokens: list[Token], line: Line) -> bool | None:
        """The value of a condition; None if it is not certain."""
        asked: list[Token] = []
        rest = iter(tokens)
        for token in rest:
            if token.text != "defined":
                asked.append(token)
                continue
            name = next(rest, None)
            if name is not None and name.text == "(":
                name, _ = next(rest, None), next(rest, None)
            answer = self._is_defined(name.text) if name is not None else None
            asked.append(Token("number", str(int(answer)), line) if answer is not None else _unknown(name, line))
        return _decided(self._macros.expand(asked), self._headers is not None, line)


def _unknown(name: Token | None, line: Line) -> Token:
    return Token("unknown", name.text if name is not None else "", line)


def _decided(tokens: list[Token], all_known: bool, line: Line) -> bool | None:
    """The truth of expanded tokens, if it is the same for each choice of what may or may not be defined."""
    zero = {token.text for token in tokens if token.kind == "name" and (all_known or token.text in NEVER)}
    unknown = sorted({token.text for token in tokens if token.kind == "unknown"})
    values: set[bool] = set()
    for choice in product("01", repeat=min(len(unknown), _MOST_UNKNOWN)):
        chosen = dict(zip(unknown, choice, strict=False)) | dict.fromkeys(zero, "0")
        tried = [Token("number", chosen[t.text], t.line) if t.text in chosen else t for t in tokens]
        cursor = Cursor([*tried, Token("end", "end of the condition", line)])
        try:
            values.add(bool(constant(cursor)))
        except LayoutError:
            return None
        if cursor.token.kind != "end":
            return None
    return values.pop() if len(values) == 1 else None


@lru_cache(maxsize=2048)
def _lines_of(header: str) -> list[tuple[int, str]]:
    return plain_lines(header)
