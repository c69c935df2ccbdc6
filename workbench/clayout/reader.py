"""A reader over C tokens: take, accept or expect them, mark a place and come back to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from workbench.clayout.text import HUNK, MAX_DEPTH, Line, Token, refuse

_OPENS, _CLOSES = ("(", "[", "{"), (")", "]", "}")
_STARTS = frozenset({"struct", "union", "enum", "typedef"})


class Cursor:
    """A position in a token list that ends with a token of kind ``end``."""

    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._position = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        return self._tokens[self._position]

    @property
    def line(self) -> Line:
        return self.token.line

    def take(self) -> Token:
        token = self.token
        if token.kind != "end":
            self._position += 1
        return token

    def accept(self, *texts: str) -> Token | None:
        """Take the next token if its text is one of ``texts``."""
        return self.take() if self.token.text in texts and self.token.kind != "end" else None

    def expect(self, text: str, where: str) -> Token:
        return self.accept(text) or self.refuse(f"expected '{text}' {where}, found {self.found()}")

    def name(self, what: str) -> str:
        if self.token.kind != "name":
            self.refuse(f"expected {what}, found {self.found()}")
        return self.take().text

    def found(self) -> str:
        return self.token.text if self.token.kind == "end" else f"'{self.token.text}'"

    def refuse(self, message: str) -> NoReturn:
        """Raise a LayoutError about this token; if it is a bad one, the message is why it is bad."""
        refuse(self.line, self.token.text if self.token.kind == "bad" else message)

    @contextmanager
    def nested(self, what: str) -> Iterator[None]:
        """Count a level of nesting; refuse more than MAX_DEPTH levels, before Python's stack overflows."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.refuse(f"{what} nested deeper than {MAX_DEPTH}")
        yield
        self._depth -= 1

    # ---- places

    @property
    def position(self) -> int:
        """The number of tokens before this one; `back` takes it."""
        return self._position

    def back(self, position: int) -> None:
        """Go to a position, with no nesting counted."""
        self._position = position
        self._depth = 0

    def step_back(self, position: int) -> None:
        """Go back to a position within the same nesting."""
        self._position = position

    def peek(self, ahead: int = 1) -> Token:
        return self._tokens[min(self._position + ahead, len(self._tokens) - 1)]

    def between(self, start: int, end: int) -> list[Token]:
        """The tokens from position ``start`` up to ``end``."""
        return self._tokens[start:end]

    def skip_group(self) -> None:
        """Skip from an opening bracket behind the closing one of its kind, or to the end."""
        depth = 0
        while self.token.kind != "end":
            text = self.take().text
            depth += (text in _OPENS) - (text in _CLOSES)
            if depth <= 0:
                return

    def skip_declaration(self, start: int) -> None:
        """Go behind the declaration that starts at a position: its semicolon, its function body, or a hunk's end.

        One that is not closed ends where struct, union, enum or typedef stands at the left margin.
        """
        self.back(start)
        depth, function = 0, False
        while self.token.kind != "end":
            token = self.token
            begins = self._begins_anew(start) and (depth <= 0 or token.column == 0)
            if self._position > start and (token.text == HUNK or begins):
                return
            self.take()
            if token.kind != "mark":
                continue
            function = function or (token.text == "{" and depth == 0 and self.peek(-2).text == ")")
            depth += (token.text in _OPENS) - (token.text in _CLOSES)
            if depth <= 0 and (token.text == ";" or (token.text == "}" and function)):
                return

    def _begins_anew(self, start: int) -> bool:
        """Is this token the first one of its line, and the start of a definition?"""
        new = self._position > start and self.peek(-1).line != self.token.line
        return new and self.token.text in _STARTS
