"""A reader over C tokens, and the constant expressions (array sizes, widths, alignments) read with it.

Rule: a constant is computed only from numbers, #defines and enumerators of the text; sizeof and casts
depend on an ABI and are refused, and so are expressions whose value depends on the signedness of a number.

Source: C11 6.6 (constant expressions) and 6.5.3 to 6.5.12 (operators and their precedence).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import NoReturn

from workbench.clayout.text import MAX_DEPTH, Token, refuse

_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|[0-9]+)(?:[uU]?(?:ll|LL|[lL])?|(?:ll|LL|[lL])[uU])$")


_OPERATORS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"|": lambda a, b: a | b},
    {"^": lambda a, b: a ^ b},
    {"&": lambda a, b: a & b},
    {"<<": lambda a, b: a << b, ">>": lambda a, b: a >> b},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": lambda a, b: a // b, "%": lambda a, b: a % b},
)


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
    def line(self) -> int:
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
        refuse(self.line, message)

    @contextmanager
    def nested(self, what: str) -> Iterator[None]:
        """Count a level of nesting; refuse more than MAX_DEPTH levels, before Python's stack overflows."""
        self._depth += 1
        if self._depth > MAX_DEPTH:
            self.refuse(f"{what} nested deeper than {MAX_DEPTH}")
        yield
        self._depth -= 1


def constant(cursor: Cursor, known: Mapping[str, int], level: int = 0) -> int:
    """Read an integer constant expression; ``known`` holds the enumerators."""
    if level == len(_OPERATORS):
        return _unary(cursor, known)
    value = constant(cursor, known, level + 1)
    while operator := cursor.accept(*_OPERATORS[level]):
        right = constant(cursor, known, level + 1)
        if operator.text in "/%" and right == 0:
            refuse(operator.line, "division by zero")
        if operator.text in ("<<", ">>") and not 0 <= right < 64:
            refuse(operator.line, f"shift by {right} (allowed: 0 to 63)")
        if operator.text not in ("+", "-", "*") and min(value, right) < 0:
            refuse(operator.line, f"'{operator.text}' with a negative number depends on its C type")
        value = _bounded(_OPERATORS[level][operator.text](value, right), operator.line)
    return value


_LONGEST_NUMBER = len("0b") + 64  # digits


def _bounded(value: int, line: int) -> int:
    if not -(1 << 63) <= value < 1 << 64:
        refuse(line, "constant does not fit 64 bits")
    return value


def _unary(cursor: Cursor, known: Mapping[str, int]) -> int:
    with cursor.nested("expressions"):
        if cursor.accept("("):
            value = constant(cursor, known)
            cursor.expect(")", "in an expression")
            return value
        if sign := cursor.accept("+", "-"):
            value = _unary(cursor, known)
            return -value if sign.text == "-" else value
        return _atom(cursor, known)


def _atom(cursor: Cursor, known: Mapping[str, int]) -> int:
    token = cursor.token
    if token.kind == "number":
        return _number(cursor.take())
    if token.kind != "name" or token.text not in known:
        what = "unknown constant" if token.kind == "name" else "expected a constant, found"
        cursor.refuse(f"{what} {cursor.found()} (allowed: numbers, #defines and enumerators of the text)")
    return known[cursor.take().text]


def _number(token: Token) -> int:
    match = _NUMBER.match(token.text)
    digits = match[1] if match else ""
    octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
    if not match or (octal and set(digits) & set("89")):
        refuse(token.line, f"{token.text} is not an integer constant")
    if len(digits) > _LONGEST_NUMBER:
        refuse(token.line, f"constant of {len(digits)} digits does not fit 64 bits")
    return _bounded(int(digits, 8) if octal else int(digits, 0), token.line)
