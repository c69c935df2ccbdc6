"""Constant expressions: array sizes, widths of bit-fields, alignments, enumerators and conditions.

Rule: a constant is computed only from numbers, #defines, enumerators and the sizes of types in the text; expressions
whose value depends on the signedness of a number are refused.

Source: C11 6.6 (constant expressions) and 6.5.3 to 6.5.15 (operators and their precedence).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Protocol

from workbench.clayout.reader import Cursor
from workbench.clayout.text import Line, Token, refuse

_NUMBER = re.compile(r"(0[xX][0-9a-fA-F]+|0[bB][01]+|[0-9]+)(?:[uU]?(?:ll|LL|[lL])?|(?:ll|LL|[lL])[uU])$")
_LONGEST_NUMBER = len("0b") + 64  # digits
_SIZEOF = ("sizeof", "_Alignof", "__alignof__", "__alignof", "alignof")

_OPERATORS: tuple[dict[str, Callable[[int, int], int]], ...] = (
    {"||": lambda a, b: bool(a or b)},
    {"&&": lambda a, b: bool(a and b)},
    {"|": lambda a, b: a | b},
    {"^": lambda a, b: a ^ b},
    {"&": lambda a, b: a & b},
    {"==": lambda a, b: a == b, "!=": lambda a, b: a != b},
    {"<": lambda a, b: a < b, ">": lambda a, b: a > b, "<=": lambda a, b: a <= b, ">=": lambda a, b: a >= b},
    {"<<": lambda a, b: a << b, ">>": lambda a, b: a >> b},
    {"+": lambda a, b: a + b, "-": lambda a, b: a - b},
    {"*": lambda a, b: a * b, "/": lambda a, b: a // b, "%": lambda a, b: a % b},
)
_ANY_SIGN = frozenset({"+", "-", "*", "||", "&&", "==", "!="})


class Names(Protocol):
    """What the parser knows: enumerators, and types with their sizes on the ABI that is laid out."""

    def enumerator(self, name: str) -> int | None: ...
    def is_type(self, cursor: Cursor) -> bool:
        """Does the name of a type begin at the cursor?"""
        ...

    def type_size(self, cursor: Cursor) -> tuple[int, int]:
        """Read the name of a type; return its size and alignment in bytes."""
        ...


class _NoNames:
    def enumerator(self, name: str) -> None:
        return None

    def is_type(self, cursor: Cursor) -> bool:
        return False

    def type_size(self, cursor: Cursor) -> tuple[int, int]:
        return cursor.refuse("no types are known here")


_NONE = _NoNames()


def constant(cursor: Cursor, names: Names = _NONE) -> int:
    """Read an integer constant expression; raise LayoutError if its value is not certain."""
    value = _binary(cursor, names, 0)
    if not cursor.accept("?"):
        return value
    yes = constant(cursor, names)
    cursor.expect(":", "after a ?")
    no = constant(cursor, names)
    return yes if value else no


def _binary(cursor: Cursor, names: Names, level: int) -> int:
    if level == len(_OPERATORS):
        return _unary(cursor, names)
    value = _binary(cursor, names, level + 1)
    while operator := cursor.accept(*_OPERATORS[level]):
        right = _binary(cursor, names, level + 1)
        _check(operator, value, right)
        value = _bounded(_OPERATORS[level][operator.text](value, right), operator.line)
    return int(value)


def _check(operator: Token, left: int, right: int) -> None:
    if operator.text in "/%" and right == 0:
        refuse(operator.line, "division by zero")
    if operator.text in ("<<", ">>") and not 0 <= right < 64:
        refuse(operator.line, f"shift by {right} (allowed: 0 to 63)")
    mask = operator.text == "&" and 0 <= max(left, right) < 1 << 31 and min(left, right) >= -(1 << 31)  # x & ~7
    if operator.text not in _ANY_SIGN and min(left, right) < 0 and not mask:
        refuse(operator.line, f"'{operator.text}' with a negative number depends on its C type")


def _bounded(value: int, line: Line) -> int:
    if not -(1 << 63) <= value < 1 << 64:
        refuse(line, "constant does not fit 64 bits")
    return value


def _unary(cursor: Cursor, names: Names) -> int:
    with cursor.nested("expressions"):
        if cursor.token.text == "(" and _type_next(cursor, names):
            return _cast(cursor, names)
        if cursor.accept("("):
            value = constant(cursor, names)
            cursor.expect(")", "in an expression")
            return value
        if sign := cursor.accept("+", "-", "~", "!"):
            value = _unary(cursor, names)
            return {"+": value, "-": -value, "~": ~value, "!": int(not value)}[sign.text]
        if cursor.accept("__extension__"):
            return _unary(cursor, names)
        if (word := cursor.accept(*_SIZEOF)) is not None:
            return _sizeof(cursor, names, word)
        return _atom(cursor, names)


def _type_next(cursor: Cursor, names: Names) -> bool:
    start = cursor.position
    cursor.take()
    found = names.is_type(cursor)
    cursor.step_back(start)
    return found


def _cast(cursor: Cursor, names: Names) -> int:
    line = cursor.expect("(", "").line
    size, _ = names.type_size(cursor)
    cursor.expect(")", "after a type")
    value = _unary(cursor, names)
    if not 0 <= value < 1 << (8 * size - 1):
        refuse(line, f"{value} cast to a type of {size} bytes depends on its sign")
    return value


def _sizeof(cursor: Cursor, names: Names, word: Token) -> int:
    cursor.expect("(", f"after {word.text}")
    if not names.is_type(cursor):
        what = "unknown type" if cursor.token.kind == "name" else "expected a type, found"
        cursor.refuse(f"{what} {cursor.found()} in {word.text} (allowed: types and structs of the text)")
    size, align = names.type_size(cursor)
    cursor.expect(")", "after a type")
    return size if word.text == "sizeof" else align


def _atom(cursor: Cursor, names: Names) -> int:
    token = cursor.token
    if token.kind == "number":
        return _number(cursor.take())
    known = names.enumerator(token.text) if token.kind == "name" else None
    if known is None:
        what = "unknown constant" if token.kind == "name" else "expected a constant, found"
        cursor.refuse(f"{what} {cursor.found()} (allowed: numbers, #defines and enumerators of the text)")
    cursor.take()
    return known


def _number(token: Token) -> int:
    match = _NUMBER.match(token.text)
    digits = match[1] if match else ""
    octal = len(digits) > 1 and digits.isdigit() and digits[0] == "0"
    if not match or (octal and set(digits) & set("89")):
        refuse(token.line, f"{token.text} is not an integer constant")
    if len(digits) > _LONGEST_NUMBER:
        refuse(token.line, f"constant of {len(digits)} digits does not fit 64 bits")
    return _bounded(int(digits, 8) if octal else int(digits, 0), token.line)
