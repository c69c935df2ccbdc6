"""Where the value of an expression goes within a function: to a yield, to a caller, or nowhere.

A step that is made and not yielded changes nothing, and a generator that nothing runs does nothing; Python accepts
both. Only what certainly goes nowhere is reported.
"""

import ast
from typing import Any

Function = ast.FunctionDef

#: Parents that pass an expression's value on to something that may use it.
_PASS_ON = (
    ast.Yield, ast.YieldFrom, ast.Return, ast.Await, ast.Lambda, ast.Dict, ast.Tuple, ast.List, ast.Set,
    ast.comprehension, ast.ListComp, ast.GeneratorExp, ast.SetComp, ast.keyword, ast.Attribute, ast.withitem,
)  # fmt: skip
#: Parents whose own value is that of the expression.
_SAME_VALUE = (ast.BoolOp, ast.IfExp, ast.NamedExpr, ast.Starred)
#: Builtins that look at a value and pass nothing on.
_LOOK_ONLY = frozenset(("bool", "int", "len", "str", "repr", "print", "abs", "min", "max", "sum", "any", "all", "hash"))


def own_nodes(function: Function) -> list[ast.AST]:
    """Return all nodes of a function, without those of functions and classes defined in it."""
    found: list[ast.AST] = []
    todo: list[ast.AST] = list(function.body)
    while todo:
        node = todo.pop()
        found.append(node)
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Lambda):
            todo += ast.iter_child_nodes(node)
    return sorted(found, key=lambda node: (getattr(node, "lineno", 0), getattr(node, "col_offset", 0)))


class Flow:
    """The parents of a function's nodes, and the places where its local names are read."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.nodes = own_nodes(function)
        self.parents: dict[ast.AST, ast.AST] = {}
        for node in (function, *self.nodes):
            for child in ast.iter_child_nodes(node):
                self.parents[child] = node
        self.reads: dict[str, list[ast.Name]] = {}
        for node in self.nodes:
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self.reads.setdefault(node.id, []).append(node)

    @property
    def yields(self) -> list[ast.Yield | ast.YieldFrom]:
        """The function's yields, in the order of the text."""
        return [node for node in self.nodes if isinstance(node, ast.Yield | ast.YieldFrom)]

    def goes_nowhere(self, node: ast.AST, seen: frozenset[str] = frozenset()) -> bool:
        """Tell whether the value of ``node`` certainly reaches neither a yield, nor a caller, nor another function."""
        parent = self.parents.get(node)
        if isinstance(parent, ast.Call):
            return self._call_drops(parent, node)
        if isinstance(parent, _PASS_ON):
            return False
        if isinstance(parent, ast.NamedExpr) and self._name_is_used(parent.target, seen):
            return False
        if isinstance(parent, ast.IfExp) and node is parent.test:
            return True
        if isinstance(parent, _SAME_VALUE):
            return self.goes_nowhere(parent, seen)
        if isinstance(parent, ast.For):
            return False
        if isinstance(parent, ast.Assign | ast.AnnAssign):
            targets: Any = parent.targets if isinstance(parent, ast.Assign) else [parent.target]
            return not any(self._name_is_used(target, seen) for target in targets)
        return True

    def _call_drops(self, call: ast.Call, node: ast.AST) -> bool:
        name = call.func.id if isinstance(call.func, ast.Name) else None
        return node is not call.func and name in _LOOK_ONLY

    def _name_is_used(self, target: ast.AST, seen: frozenset[str]) -> bool:
        if not isinstance(target, ast.Name):
            return True  # an attribute, an element: kept somewhere
        if target.id in seen:
            return False
        return any(not self.goes_nowhere(read, seen | {target.id}) for read in self.reads.get(target.id, ()))

    def is_held_across_a_yield(self, statement: ast.stmt, name: str) -> bool:
        """Tell whether the value that ``statement`` gives ``name`` is still in the local when a yield comes."""
        until = min(
            (_place(other) for other in self._rebindings(name) if _place(other) > _place(statement)),
            default=(1 << 30, 0),
        )
        end = (statement.end_lineno or 0, statement.end_col_offset or 0)
        inside = [self._loop(statement), *([self.function] if self._loop(statement) is None else [])]
        for own in self.yields:
            if end <= _place(own) < until:
                return True
            loop = inside[0]
            if loop is not None and until == (1 << 30, 0) and _within(own, loop) and not _within(own, statement):
                return True
        return False

    def _rebindings(self, name: str) -> list[ast.AST]:
        return [
            node
            for node in self.nodes
            if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store | ast.Del)
        ]

    def _loop(self, node: ast.AST) -> ast.AST | None:
        while node in self.parents:
            node = self.parents[node]
            if isinstance(node, ast.For | ast.While):
                return node
        return None


def _place(node: Any) -> tuple[int, int]:
    return node.lineno, node.col_offset


def _within(node: Any, outer: Any) -> bool:
    return bool(_place(outer) <= _place(node) < (outer.end_lineno, outer.end_col_offset))
