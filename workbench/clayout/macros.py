"""The macros of a text and their expansion.

Rule: a macro whose value is not certain is a token of kind ``bad``, which spoils only the declaration that uses it. In
a paste, a macro is not certain if the text defines it twice or takes it back, because parts may be missing between.

Source: C11 6.10.3 (macro replacement); gcc's manual of the preprocessor, "Variadic Macros", for ``NAME...``. The
kernel's own macros: include/linux/stddef.h and include/uapi/linux/stddef.h (struct_group, DECLARE_FLEX_ARRAY),
include/linux/types.h (DECLARE_BITMAP).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import NamedTuple, TypeAlias

from workbench.clayout.text import MAX_DEPTH, Line, Token, refuse, scan

MOST_TOKENS = 300_000  #: that one text may expand to
_DEFINE = re.compile(r"\s*([A-Za-z_]\w*)(\(([^)]*)\))?(.*)", re.DOTALL)

KERNEL = """\
__DECLARE_FLEX_ARRAY(TYPE, NAME) struct { struct { } __empty_ ## NAME; TYPE NAME[]; }
DECLARE_FLEX_ARRAY(TYPE, NAME) __DECLARE_FLEX_ARRAY(TYPE, NAME)
__struct_group(TAG, NAME, ATTRS, MEMBERS...) union { struct { MEMBERS } ATTRS; struct TAG { MEMBERS } ATTRS NAME; }
struct_group(NAME, MEMBERS...) __struct_group(, NAME, , MEMBERS)
struct_group_attr(NAME, ATTRS, MEMBERS...) __struct_group(, NAME, ATTRS, MEMBERS)
struct_group_tagged(TAG, NAME, MEMBERS...) __struct_group(TAG, NAME, , MEMBERS)
DECLARE_BITMAP(NAME, BITS) unsigned long NAME[((BITS) + 8 * sizeof(long) - 1) / (8 * sizeof(long))]
BITS_TO_LONGS(BITS) (((BITS) + 8 * sizeof(long) - 1) / (8 * sizeof(long)))
BIT(N) (1UL << (N))
"""

_KERNEL_NAMES = frozenset(line.partition("(")[0] for line in KERNEL.splitlines())

_Hidden: TypeAlias = frozenset[str]
_Pair: TypeAlias = tuple[Token, _Hidden]


class _Macro(NamedTuple):
    """``parameters`` is None for a macro without parentheses; the last one of a ``variadic`` macro takes the rest."""

    parameters: tuple[str, ...] | None
    variadic: bool
    body: tuple[Token, ...]

    def same(self, other: _Macro) -> bool:
        mine, others = ([(t.kind, t.text) for t in macro.body] for macro in (self, other))
        return self.parameters == other.parameters and mine == others


class Macros:
    """The macros in force; ``paste`` says that the text may lack parts, ``builtin`` are those of a compiler."""

    def __init__(self, paste: bool, builtin: Iterable[str] = ()) -> None:
        self._paste = paste
        self._known = dict(_builtin((*KERNEL.splitlines(), *builtin)))
        self._spoiled: dict[str, str] = {}
        self._tokens = 0
        self._own: set[str] = set()

    def __contains__(self, name: str) -> bool:
        """Is it defined, by the text or the compiler?"""
        return name in self._known and (name in self._own or name not in _KERNEL_NAMES)

    def define(self, text: str, line: Line) -> None:
        """Take what stands behind ``#define``."""
        name, macro = _read(text, line)
        if self._paste and name in self._own and name in self._known and not macro.same(self._known[name]):
            self._spoiled.setdefault(name, f"two different #defines of {name}, the second in line {line}")
            return
        self._known[name] = macro
        self._own.add(name)

    def undefine(self, name: str, line: Line) -> None:
        """Take back a macro; in a paste, this makes it uncertain."""
        if self._paste:
            self._spoiled.setdefault(name, f"#undef of {name} in line {line}")
        self._known.pop(name, None)
        self._own.discard(name)

    def expand(self, tokens: Iterable[Token]) -> list[Token]:
        """Replace macros by their bodies; a macro is not expanded within itself (C11 6.10.3.4)."""
        return [token for token, _ in self._expand([(token, frozenset()) for token in tokens])]

    def _expand(self, pairs: list[_Pair]) -> list[_Pair]:
        todo, done = pairs[::-1], []
        while todo:
            token, hidden = todo.pop()
            macro = self._known.get(token.text) if token.kind == "name" and token.text not in hidden else None
            if token.kind == "name" and token.text in self._spoiled and token.text not in hidden:
                done.append((_bad(token, f"{token.text} is not certain: {self._spoiled[token.text]}"), hidden))
            elif macro is None:
                done.append((token, hidden))
            elif len(hidden) >= MAX_DEPTH:
                done.append((_bad(token, f"#defines nested deeper than {MAX_DEPTH}"), hidden))
            else:
                body = self._replaced(token, macro, hidden, todo)
                if body is None:
                    done.append((token, hidden))
                else:
                    todo.extend(reversed(body))
                    self._count(len(body), token.line)
        return done

    def _count(self, more: int, line: Line) -> None:
        self._tokens += more
        if self._tokens > MOST_TOKENS:
            refuse(line, f"macros expand to more than {MOST_TOKENS} tokens")

    def _replaced(self, token: Token, macro: _Macro, hidden: _Hidden, todo: list[_Pair]) -> list[_Pair] | None:
        """What stands for one use of a macro; None if it is not a use, because no ``(`` follows its name."""
        hides = hidden | {token.text}
        if macro.parameters is None:
            return [(Token(t.kind, t.text, token.line, token.column), hides) for t in macro.body]
        if not todo or todo[-1][0].text != "(":
            return None
        todo.pop()
        arguments = _arguments(todo, len(macro.parameters) if macro.variadic else 0)
        if arguments is None:
            return [(_bad(token, f"the arguments of {token.text} are not closed (expected ')')"), hides)]
        if not macro.parameters and arguments == [[]]:
            arguments = []
        if len(arguments) == len(macro.parameters) - 1 and macro.variadic:
            arguments.append([])
        if len(arguments) != len(macro.parameters):
            said = f"{token.text} takes {len(macro.parameters)} arguments, not {len(arguments)}"
            return [(_bad(token, said), hides)]
        return self._substituted(token, macro, dict(zip(macro.parameters, arguments, strict=True)), hides)

    def _substituted(self, token: Token, macro: _Macro, given: dict[str, list[_Pair]], hides: _Hidden) -> list[_Pair]:
        """The body with its arguments: expanded ones, but as they are beside ``##`` (C11 6.10.3.1)."""
        found: list[_Pair] = []
        glue = False
        for at, part in enumerate(macro.body):
            if part.text == "##":
                glue = True
                continue
            beside = glue or (at + 1 < len(macro.body) and macro.body[at + 1].text == "##")
            if part.kind == "name" and part.text in given:
                raw = given[part.text]
                pieces = [(t, h | hides) for t, h in (raw if beside else self._expand(list(raw)))]
            else:
                pieces = [(Token(part.kind, part.text, token.line, token.column), hides)]
            if glue and pieces and found:
                left, right = found.pop()[0], pieces[0][0]
                pieces[:1] = [(t, hides) for t in scan(left.text + right.text, token.line)]
            glue = False
            found.extend(pieces)
        return found


def _read(text: str, line: Line) -> tuple[str, _Macro]:
    """The name and the macro in what stands behind ``#define``."""
    match = _DEFINE.match(text)
    if not match:
        refuse(line, "#define without a name")
    parameters, variadic = None, False
    if match[2] is not None:
        words = [word.strip() for word in match[3].split(",")] if match[3].strip() else []
        variadic = bool(words) and words[-1].endswith("...")
        if variadic:
            words[-1] = words[-1][:-3].strip() or "__VA_ARGS__"
        parameters = tuple(words)
    return match[1], _Macro(parameters, variadic, tuple(scan(match[4], line)))


@cache
def _builtin(texts: tuple[str, ...]) -> dict[str, _Macro]:
    return dict(_read(text, 0) for text in texts)


def _arguments(todo: list[_Pair], most: int) -> list[list[_Pair]] | None:
    """Take ``a, b)`` off the stack of tokens; the last of ``most`` arguments (0: no bound) takes further commas."""
    taken: list[list[_Pair]] = [[]]
    depth = 0
    while todo:
        pair = todo.pop()
        text = pair[0].text if pair[0].kind == "mark" else ""
        if text == ")" and depth == 0:
            return taken
        depth += {"(": 1, ")": -1}.get(text, 0)
        if text == "," and depth == 0 and len(taken) != most:
            taken.append([])
        else:
            taken[-1].append(pair)
    return None


def _bad(token: Token, why: str) -> Token:
    return Token("bad", why, token.line, token.column)
