"""Makes mutants of a Python source text: single small changes such as a programmer could make by mistake.

Decisions, steps, constants and operators are changed. Texts for people (docstrings, messages, ``__repr__``), type
annotations and assertions that only narrow types are not: changing them does not change behaviour.
"""

import ast
import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

COMPARISONS: dict[type, str] = {
    ast.Lt: "<=", ast.LtE: "<", ast.Gt: ">=", ast.GtE: ">", ast.Eq: "!=", ast.NotEq: "==",
    ast.Is: "is not", ast.IsNot: "is", ast.In: "not in", ast.NotIn: "in",
}  # fmt: skip
OPERATORS: dict[type, str] = {
    ast.Add: "-", ast.Sub: "+", ast.Mult: "//", ast.FloorDiv: "*", ast.Mod: "//", ast.BitAnd: "|", ast.BitOr: "&",
    ast.BitXor: "|", ast.LShift: ">>", ast.RShift: "<<",
}  # fmt: skip
#: Names of the contract that are easily confused.
WORDS = {
    "HANDLED": "FAULT", "FAULT": "HANDLED", "UNKNOWN": "FAULT", "ACCEPTED": "REFUSED", "REFUSED": "ACCEPTED",
    "GUEST": "KERNEL", "KERNEL": "USER", "USER": "KERNEL",
}  # fmt: skip
FOR_PEOPLE = {"__repr__", "__str__"}


@dataclass(frozen=True)
class Mutant:
    """A change of [start, end) of ``source`` into ``text``; ``kind`` says what was done."""

    file: str
    kind: str
    line: int
    source: str
    start: int
    end: int
    text: str

    @property
    def changed(self) -> str:
        """The whole file, changed."""
        return self.source[: self.start] + self.text + self.source[self.end :]

    def diff(self) -> str:
        """Return the change as a unified diff with one line of context."""
        before, after = self.source.splitlines(), self.changed.splitlines()
        return "\n".join(difflib.unified_diff(before, after, self.file, self.file, n=1, lineterm=""))

    @property
    def at_import(self) -> bool:
        """Whether the change is outside of every function, in code that runs when the file is loaded."""
        tree = ast.parse(self.source)
        lines = range(self.line, self.source.count("\n", 0, self.end) + 2)
        return not any(set(lines) & set(_body(node)) for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))


def _body(function: ast.FunctionDef) -> range:
    return range(function.body[0].lineno, (function.end_lineno or 0) + 1)


def lines_of(mutant: Mutant) -> range:
    """Return the lines of the innermost statement around the change; of a compound statement, up to its body."""
    begin, end = (mutant.source.count("\n", 0, at) + 1 for at in (mutant.start, mutant.end))
    around = [
        node
        for node in ast.walk(ast.parse(mutant.source))
        if isinstance(node, ast.stmt) and node.lineno <= begin and end <= (node.end_lineno or 0)
    ]
    inner = max(around, key=lambda node: node.lineno, default=None)
    if inner is None:
        return range(begin, end + 1)
    return range(inner.lineno, max(end, _header_end(inner)) + 1)


def _header_end(node: ast.stmt) -> int:
    body = getattr(node, "body", None)
    return body[0].lineno - 1 if body else node.end_lineno or node.lineno


def mutants(file: str, source: str) -> list[Mutant]:
    """Return every change of ``source`` that is still a Python text, in the order of its lines."""
    found = {(m.start, m.end, m.text): m for m in _Mutator(file, source).all()}
    return [m for m in sorted(found.values(), key=lambda m: (m.start, m.end, m.text)) if _compiles(m.changed)]


def _compiles(text: str) -> bool:
    try:
        compile(text, "mutant", "exec")
    except SyntaxError:
        return False
    return True


class _Mutator:
    def __init__(self, file: str, source: str) -> None:
        self.file = file
        self.source = source
        self.starts = [0]
        for line in source.splitlines(keepends=True):
            self.starts.append(self.starts[-1] + len(line))
        assert source.isascii(), "columns are counted in bytes"

    def all(self) -> Iterator[Mutant]:
        """Yield all changes."""
        for node in _behaviour(ast.parse(self.source)):
            yield from self._statements(node)
            if isinstance(node, ast.If):
                yield from self._check(node)
            if isinstance(node, ast.If | ast.IfExp | ast.While) and not _negated_elsewhere(node.test):
                yield self._mutant("negate a condition", node.test, f"(not ({self._text(node.test)}))")
            elif isinstance(node, ast.Expr):
                yield from self._effect(node)
            elif isinstance(node, ast.Assign | ast.AugAssign):
                yield from self._assignment(node)
            elif isinstance(node, ast.Constant):
                yield from self._constant(node)
            elif isinstance(node, ast.Compare | ast.BinOp | ast.BoolOp):
                yield from self._operator(node)
            elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
                yield self._mutant("drop a not", node, f"({self._text(node.operand)})")
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and node.id in WORDS:
                yield self._mutant("take another word", node, WORDS[node.id])

    def _check(self, node: ast.If) -> Iterator[Mutant]:
        if not node.orelse and isinstance(node.body[-1], ast.Return | ast.Raise | ast.Continue):
            yield self._mutant("drop a check", node, "pass")

    def _effect(self, node: ast.Expr) -> Iterator[Mutant]:
        value = node.value
        if isinstance(value, ast.YieldFrom) or (isinstance(value, ast.Yield) and value.value is not None):
            yield self._mutant("drop a step", node, "pass")
        elif isinstance(value, ast.Call):
            yield self._mutant("drop a call", node, "pass")

    def _assignment(self, node: ast.Assign | ast.AugAssign) -> Iterator[Mutant]:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        if any(isinstance(target, ast.Attribute | ast.Subscript) for target in targets):
            yield self._mutant("drop an assignment", node, "pass")
        if isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
            text = f"{self._text(node.target)} {OPERATORS[type(node.op)]}= {self._text(node.value)}"
            yield self._mutant("change an operator", node, text)

    def _constant(self, node: ast.Constant) -> Iterator[Mutant]:
        if isinstance(node.value, bool):
            yield self._mutant("change a constant", node, str(not node.value))
        elif isinstance(node.value, int):
            yield self._mutant("change a constant", node, str(node.value + 1) if node.value != 1 else "0")

    def _operator(self, node: ast.Compare | ast.BinOp | ast.BoolOp) -> Iterator[Mutant]:
        if isinstance(node, ast.Compare):
            parts = [node.left, *node.comparators]
            for op, (left, right) in zip(node.ops, pairwise(parts), strict=True):
                yield self._between(left, right, COMPARISONS[type(op)])
        elif isinstance(node, ast.BinOp):
            if type(node.op) in OPERATORS:
                yield self._between(node.left, node.right, OPERATORS[type(node.op)])
        else:
            yield self._between(node.values[0], node.values[1], "or" if isinstance(node.op, ast.And) else "and")

    def _statements(self, node: ast.AST) -> Iterator[Mutant]:
        """Swap neighbours that both take steps; a later one that uses what an earlier one learnt stays behind it."""
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, [])
            for one, other in pairwise(block if isinstance(block, list) else []):
                if _steps(one) and _steps(other) and not (_stored(one) & _names(other)):
                    gap = self.source[self._end(one) : self._start(other)]
                    text = self._text(other) + gap + self._text(one)
                    place = (self._start(one), self._end(other))
                    yield Mutant(self.file, "swap two steps", one.lineno, self.source, *place, text)

    def _between(self, left: ast.expr, right: ast.expr, operator: str) -> Mutant:
        """Replace the operator between two operands, brackets around them included in neither."""
        start, end = self._end(left), self._start(right)
        gap = self.source[start:end]
        begin = len(gap) - len(gap.lstrip(" )\n"))
        finish = len(gap.rstrip(" (\n"))
        return Mutant(
            self.file, "change an operator", left.end_lineno or 0, self.source, start + begin, start + finish, operator
        )

    def _mutant(self, kind: str, node: ast.expr | ast.stmt, text: str) -> Mutant:
        return Mutant(self.file, kind, node.lineno, self.source, self._start(node), self._end(node), text)

    def _start(self, node: ast.expr | ast.stmt) -> int:
        return self.starts[node.lineno - 1] + node.col_offset

    def _end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.starts[node.end_lineno - 1] + node.end_col_offset

    def _text(self, node: ast.expr | ast.stmt) -> str:
        return self.source[self._start(node) : self._end(node)]


def _behaviour(node: ast.AST) -> Iterator[ast.AST]:
    """Yield the nodes below ``node`` that say what happens."""
    yield node
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns", "type_params", "format_spec"):
            continue
        for child in value if isinstance(value, list) else [value]:
            if isinstance(child, ast.AST) and not _says_only(child):
                yield from _behaviour(child)


def _says_only(node: ast.AST) -> bool:
    if isinstance(node, ast.JoinedStr | ast.Assert | ast.Import | ast.ImportFrom):
        return True
    if isinstance(node, ast.Assign) and all(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
        return True
    return isinstance(node, ast.FunctionDef) and node.name in FOR_PEOPLE


def _negated_elsewhere(test: ast.expr) -> bool:
    """Tell whether changing the operator, or dropping the not, is already the negation."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return isinstance(test.ops[0], ast.Eq | ast.NotEq | ast.Is | ast.IsNot | ast.In | ast.NotIn)
    return isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not)


def _steps(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr | ast.Assign) and isinstance(node.value, ast.Yield | ast.YieldFrom)


def _stored(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}


def _names(node: ast.AST) -> set[str]:
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
