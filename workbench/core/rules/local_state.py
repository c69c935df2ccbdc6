"""State that a program keeps where no engine sees it: mutable locals, attributes, globals."""

import ast
from collections.abc import Callable, Iterator
from types import FunctionType

from workbench.core.rules.flow import Flow
from workbench.core.rules.wording import mutable_local

_DISPLAYS = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
_MAKERS = frozenset(
    ("list", "dict", "set", "sorted", "bytearray", "deque", "defaultdict", "Counter", "OrderedDict")
)
#: Methods that change what they are called on; those whose result is often used count even if it is.
_CHANGES = frozenset(("append", "extend", "insert", "remove", "sort", "reverse", "add", "discard", "update", "clear"))
_CHANGES_AND_GIVES = frozenset(("pop", "popitem", "setdefault", "popleft", "appendleft"))
#: Finds the attribute or global at the root of an expression.
Told = Callable[[ast.AST], str | None]
_MUTABLE = (list, dict, set, bytearray)


def mutable_locals(flow: Flow) -> Iterator[tuple[int, str]]:
    """A local that holds a list, dict or set while a step is taken: the explorer compares programs by their locals."""
    for node in flow.nodes:
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None and _is_mutable(node.value):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                if isinstance(target, ast.Name) and flow.is_held_across_a_yield(node, target.id):
                    yield node.lineno, mutable_local(target.id, ast.unparse(node.value))


def _is_mutable(value: ast.expr) -> bool:
    if isinstance(value, ast.Call):
        made = value.func
        return (made.id if isinstance(made, ast.Name) else getattr(made, "attr", "")) in _MAKERS
    return isinstance(value, _DISPLAYS)


def kept_outside(flow: Flow, function: FunctionType) -> Iterator[tuple[int, str]]:
    """A statement that changes an attribute of the instance or class, a global of the module, or what a call returned.

    What a call returned and no local holds is lost if it is new; if it is not new, it is kept somewhere.
    """
    first = flow.function.args.args[0].arg if flow.function.args.args else None
    global_names = {name for node in flow.nodes if isinstance(node, ast.Global) for name in node.names}
    local = set(function.__code__.co_varnames) - global_names

    def told(node: ast.AST) -> str | None:
        """The attribute or global at the root of an expression; None for a local."""
        inner = node
        while isinstance(inner, ast.Subscript | ast.Attribute):
            outer, inner = inner, inner.value
            if isinstance(outer, ast.Attribute) and _is_self(inner, first):
                return f"self.{outer.attr}"
            if isinstance(outer, ast.Attribute) and _is_class(inner, function, first):
                return ast.unparse(outer)
        if isinstance(inner, ast.Call) and inner is not node and not _is_called_on(inner, first, ("type", "vars")):
            return f"what {ast.unparse(inner)} returns"
        if isinstance(inner, ast.Name) and inner.id not in local and (inner is not node or inner.id in global_names):
            return inner.id if isinstance(function.__globals__.get(inner.id), _MUTABLE) or inner is node else None
        return None

    for node in flow.nodes:
        if isinstance(node, ast.Attribute | ast.Subscript | ast.Name) and isinstance(node.ctx, ast.Store | ast.Del):
            where = told(node)
        else:
            where = _changed_by_call(flow, node, told, local, function)
        if where is not None:
            yield node.lineno, (  # type: ignore[attr-defined]
                f"changes {where}: no engine sees it, no migration carries it, and programs run more than once; keep "
                "it in the host's state: Set(registry(cpu.index, name), value), or in a local"
            )


def _changed_by_call(flow: Flow, node: ast.AST, told: Told, local: set[str], function: FunctionType) -> str | None:
    if not isinstance(node, ast.Call):
        return None
    if isinstance(node.func, ast.Name) and node.func.id == "next" and node.args:
        return _root(node.args[0], told, local, function)
    if not isinstance(node.func, ast.Attribute):
        return None
    is_statement = isinstance(flow.parents.get(node), ast.Expr)
    if node.func.attr in _CHANGES_AND_GIVES or (node.func.attr in _CHANGES and is_statement):
        return _root(node.func.value, told, local, function)
    return None


def _root(node: ast.expr, told: Told, local: set[str], function: FunctionType) -> str | None:
    if isinstance(node, ast.Name):
        value = function.__globals__.get(node.id)
        is_state = node.id not in local and (isinstance(value, _MUTABLE) or hasattr(value, "__next__"))
        return node.id if is_state else None
    return told(node)


def _is_self(node: ast.AST, first: str | None) -> bool:
    return isinstance(node, ast.Name) and node.id == first


def _is_class(node: ast.AST, function: FunctionType, first: str | None) -> bool:
    if isinstance(node, ast.Name):
        return isinstance(function.__globals__.get(node.id), type)
    if isinstance(node, ast.Attribute):
        return node.attr == "__class__" and _is_self(node.value, first)
    return _is_called_on(node, first, ("type",))


def _is_called_on(node: ast.AST, first: str | None, names: tuple[str, ...]) -> bool:
    """Tell whether an expression is one of these functions of ``self``, such as ``type(self)``."""
    return (
        isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names and bool(node.args)
        and _is_self(node.args[0], first)
    )  # fmt: skip
