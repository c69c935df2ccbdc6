"""Reads the text of a design before the judge runs it: only what a design needs may stand in it.

A design runs in the judge's own process, because engines resume its programs step by step. So its text must give it no
way to anything but its steps: no imports but from ``workbench.design``, no name or attribute by which Python's insides
are reached, nothing that changes an object it did not make. What is not known to be needed is refused.

``workbench check`` and the check cells of the exercises do not ask for this: it is for points.
"""

from __future__ import annotations

import ast
import builtins
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from workbench import design
from workbench.features import FEATURES

#: The classes that a class of an answer may derive from.
BASES = ("Protocol", "Generic", "PerFeature", "Null")
#: What its programs meet beside these.
_MET = "Feature Vcpu Host Area Moment StateEntry ControlBits IoRange AcceptedAt Key Register Abi Outcome Answer".split()
_OF_INSTANCES = frozenset(("features", "by_name", "mitigations"))
#: What a design is made of. Not for points: what is an event's; Note, Key, believes, asked, with which a program could
#: write what the checks look at, in place of what happened; and Now, which tells which engine runs the program.
PARTS = frozenset(
    "Protocol Generic PerFeature Null Feature StateEntry Register ControlBits IoRange Area Program Vcpu Host"
    " HANDLED FAULT UNKNOWN Outcome ACCEPTED REFUSED AcceptedAt Answer KVM_ENOSYS KVM_EPERM KVM_EINVAL KVM_SUPPORTED"
    " Load Store Wrmsr Rdmsr Hypercall MmioRead MmioWrite PioRead PioWrite share Get Set Backed Cover Uncover AllVcpus"
    " Quiesce Share ToUser area register registry pending baseline stop_news staged VM DERIVED struct Struct Value"
    " Abi U8 U16 U32 U64 PAGE_SIZE seqlock WorkbenchError".split()
)
IMPORTS: Mapping[str, frozenset[str]] = {
    "workbench.design": PARTS,
    "__future__": frozenset(("annotations",)),
    "typing": frozenset(("Any", "ClassVar", "Final")),
    "collections.abc": frozenset(("Callable", "Generator", "Iterable", "Iterator", "Mapping", "Sequence")),
}
#: What the workbench asks a design about itself, to see what happened; an answer does not answer it in its own favour.
NOT_OVERRIDDEN = ("serving", "answers_itself")

EXCEPTIONS = frozenset(
    "ArithmeticError AssertionError AttributeError Exception IndexError KeyError LookupError NotImplementedError"
    " OverflowError RuntimeError TypeError ValueError ZeroDivisionError WorkbenchError".split()
)
BUILTINS = EXCEPTIONS | frozenset(
    "abs all any bool bytes classmethod dict divmod enumerate filter float frozenset int isinstance issubclass len list"
    " map max min next pow print property range repr reversed round set sorted staticmethod str sum super tuple"
    " zip".split()
)
#: Methods of plain values that change nothing, and give nothing but plain values.
_OF_VALUES = frozenset(
    "get items keys values index count bit_length to_bytes from_bytes encode decode join split strip startswith"
    " endswith lower upper replace union intersection difference isdisjoint issubset issuperset".split()
)
#: Methods by which a list, a dict, a set or a program changes, which may be somebody else's; also if the answer defines
#: a method of this name.
_CHANGES = frozenset(
    name for kind in (list, dict, set, bytearray, deque) for name in dir(kind)
    if not any(hasattr(other, name) for other in (tuple, str, bytes, frozenset))
) - {"get", "items", "keys", "values", "update"} | {"send", "throw", "close"}  # fmt: skip
#: Attributes of generators, frames, code, functions and tracebacks, which lead to everything; and ``str.format``, whose
#: text can name any attribute.
_INSIDE = ("gi_", "cr_", "ag_", "f_", "tb_", "co_", "func_", "format", "mro", "with_traceback", "add_note")
_NODES = frozenset(
    "Expr Assign AnnAssign AugAssign NamedExpr ClassDef FunctionDef Lambda Return Yield YieldFrom If IfExp For"
    " While Break Continue Pass Raise Assert Try ExceptHandler ImportFrom alias arg keyword Call Attribute Name"
    " Subscript Slice Starred Constant JoinedStr FormattedValue Tuple List Dict Set ListComp DictComp SetComp"
    " GeneratorExp BinOp UnaryOp BoolOp Compare".split()
)
#: What may be called where a module or a class is executed: what it makes is kept, and must not change.
_CALLED_ONCE = frozenset(
    "struct frozenset tuple range len int min max IoRange ControlBits register registry area".split()
)
#: What gives a new value, so that ``x += y`` cannot change somebody else's list or dict through x.
_NEW = (ast.Constant, ast.Tuple, ast.BinOp, ast.UnaryOp, ast.Compare, ast.JoinedStr)
_UPDATE = 3  #: arguments of ``Feature.update``; what changes a dict or a set under this name takes others


def complaint(text: str) -> str | None:
    """Return what may not stand in the text of a design that is graded, with its line; None if all may."""
    try:
        # As bytes, as the file of the design is compiled: a line that names its encoding counts there.
        tree = ast.parse(text.encode("utf-8"))
    except SyntaxError as error:
        return f"answer.py:{error.lineno or 1}: {error.msg}"
    except (UnicodeError, ValueError, RecursionError, MemoryError) as error:
        return f"answer.py:1: the text cannot be read ({type(error).__name__})"
    reader = _Reader(tree)
    found = min(reader.complaints(), default=None)
    return None if found is None else f"answer.py:{found[0]}: {found[1]}; an answer for points may not do that"


class _Reader:
    """Reads one text."""

    def __init__(self, tree: ast.Module) -> None:
        self.tree = tree
        self.own = {name for node in ast.walk(tree) for name in _defined(node)}
        self.classes = {node.name for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}
        self.known = _of_contracts() | _OF_VALUES | self.own | set(_fields(tree))
        self.scopes = dict(_scopes(tree, tree))
        compares = [node for node in ast.walk(tree) if isinstance(node, ast.Compare)]
        self.compared = {id(one) for node in compares for one in (node.left, *node.comparators)}
        self.calls = {id(node.func): node for node in ast.walk(tree) if isinstance(node, ast.Call)}

    def complaints(self) -> Iterator[tuple[int, str]]:
        """Yield (line, what is wrong)."""
        rules: dict[type, Callable[[Any], Iterator[str]]] = {
            ast.ImportFrom: self._import, ast.Name: self._name, ast.Attribute: self._attribute,
            ast.Subscript: self._subscript, ast.ClassDef: self._class, ast.FunctionDef: self._function,
            ast.arg: self._arg, ast.keyword: self._keyword, ast.AugAssign: self._augmented,
            ast.ExceptHandler: self._handler,
        }  # fmt: skip
        for one in _executed_once(self.tree):
            called = one.func if isinstance(one, ast.Call) else None
            if not (isinstance(called, ast.Name) and called.id in _CALLED_ONCE and called.id not in self.own):
                yield one.lineno, f"has {ast.unparse(one)} outside of a method"
        for node in ast.walk(self.tree):
            line = getattr(node, "lineno", None)  # what has none is a part of something that has
            if line is None:
                continue
            if type(node).__name__ not in _NODES:
                yield line, f"has a {type(node).__name__.lower()} statement or expression"
            for told in rules.get(type(node), lambda one: iter(()))(node):
                yield line, told

    def _import(self, node: ast.ImportFrom) -> Iterator[str]:
        allowed = IMPORTS.get(node.module or "", frozenset()) if node.level == 0 else frozenset()
        for alias in node.names:
            if alias.name not in allowed:
                yield f"imports {alias.name} from {node.module or '.'}"
            yield from _dunder(alias.asname or "")

    def _name(self, node: ast.Name) -> Iterator[str]:
        yield from _dunder(node.id)
        if hasattr(builtins, node.id) and node.id not in BUILTINS and not self._is_compared_type(node):
            yield f"uses {node.id}"

    def _is_compared_type(self, node: ast.Name) -> bool:
        """Tell whether a name is that in ``type(value) is tuple``: what type() gives could make classes."""
        call = self.calls.get(id(node))
        return node.id == "type" and call is not None and id(call) in self.compared and not call.keywords

    def _attribute(self, node: ast.Attribute) -> Iterator[str]:
        if not isinstance(node.ctx, ast.Load):
            yield f"sets {ast.unparse(node)}"
        is_inside = node.attr.startswith(_INSIDE) and node.attr not in _of_contracts()
        is_known = node.attr in self.known and not (node.attr.startswith("_") and not _is_own(node.value))
        if node.attr.startswith("__") or is_inside or node.attr in _CHANGES or not is_known:
            yield f"uses the attribute {node.attr}"
        if node.attr == "update":
            call = self.calls.get(id(node))
            plain = call is not None and not call.keywords and not any(isinstance(a, ast.Starred) for a in call.args)
            if call is None or not plain or len(call.args) != _UPDATE:
                yield "uses update, which is not the one of a feature"

    def _subscript(self, node: ast.Subscript) -> Iterator[str]:
        if not isinstance(node.ctx, ast.Load):
            yield f"changes {ast.unparse(node)}"

    def _augmented(self, node: ast.AugAssign) -> Iterator[str]:
        name = node.target.id if isinstance(node.target, ast.Name) else None
        bound = [one for one in ast.walk(self.scopes[id(node)]) if name in _bound(one)]
        if any(not isinstance(getattr(one, "value", None), _NEW) for one in bound):
            made = ast.unparse(ast.Assign([node.target], ast.BinOp(node.target, node.op, node.value), lineno=0))
            yield f"may change what {name} stands for; write {made}"

    def _handler(self, node: ast.ExceptHandler) -> Iterator[str]:
        caught = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
        if not all(isinstance(one, ast.Name) and one.id in EXCEPTIONS - self.own for one in caught):
            yield "catches what also ends a check"
        yield from _dunder(node.name or "")

    def _class(self, node: ast.ClassDef) -> Iterator[str]:
        yield from _dunder(node.name)
        for base in node.bases:
            if not (isinstance(base, ast.Name) and base.id in {*BASES, *self.classes}):
                yield f"derives from {ast.unparse(base)}"
        if not node.bases or node.keywords:
            yield f"defines a class that does not derive from one of {', '.join(BASES)} alone"
        for name in (name for one in node.body for name in _defined(one)):
            if name in NOT_OVERRIDDEN or (name.startswith("_") and name in _of_bases()):
                yield f"defines {name}, by which the workbench looks at the design"

    def _function(self, node: ast.FunctionDef) -> Iterator[str]:
        yield from _dunder(node.name)
        for one in node.decorator_list:
            if not (isinstance(one, ast.Name) and one.id in ("property", "staticmethod", "classmethod")):
                yield f"has the decorator {ast.unparse(one)}"

    def _arg(self, node: ast.arg) -> Iterator[str]:
        yield from _dunder(node.arg)

    def _keyword(self, node: ast.keyword) -> Iterator[str]:
        yield from _dunder(node.arg or "")


def _is_own(node: ast.expr) -> bool:
    """Tell whether an expression is ``self``, ``cls`` or ``super()``."""
    called = node.func if isinstance(node, ast.Call) else None
    names = ("super",) if called is not None else ("self", "cls")
    root = called if called is not None else node
    return isinstance(root, ast.Name) and root.id in names


def _dunder(name: str) -> Iterator[str]:
    if name.startswith("__"):
        yield f"uses the name {name}"


def _defined(node: ast.AST) -> Iterator[str]:
    """Yield the names that a node itself defines."""
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        yield node.name
    for target in getattr(node, "targets", None) or [getattr(node, "target", None)]:
        for one in ast.walk(target) if isinstance(target, ast.AST) else ():
            if isinstance(one, ast.Name):
                yield one.id


def _bound(node: ast.AST) -> set[str]:
    """Return the names to which a node gives a value, if it is not ``x += y``."""
    if isinstance(node, ast.arg):
        return {node.arg}
    if isinstance(node, ast.alias):
        return {node.asname or node.name}
    return set() if isinstance(node, ast.AugAssign) else set(_defined(node))


def _scopes(node: ast.AST, scope: ast.AST) -> Iterator[tuple[int, ast.AST]]:
    """Yield (id, function or module in which it stands) of every ``x += y``."""
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.AugAssign):
            yield id(one), scope
        yield from _scopes(one, one if isinstance(one, ast.FunctionDef) else scope)


def _executed_once(node: ast.AST) -> Iterator[ast.Call | ast.GeneratorExp]:
    """Yield what is called when a module is executed: that in no function, and in defaults of arguments.

    A generator is yielded too, as it is kept, unless it is the argument of a call.
    """
    for one in ast.iter_child_nodes(node):
        if isinstance(one, ast.Call) or (isinstance(one, ast.GeneratorExp) and not isinstance(node, ast.Call)):
            yield one
        inner = [one.args] if isinstance(one, ast.FunctionDef | ast.Lambda) else [one]
        for part in inner:
            yield from _executed_once(part)


def _fields(tree: ast.Module) -> Iterator[str]:
    """Yield the words in the texts that are given to ``struct``, the names of fields among them."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "struct":
            for one in node.args:
                if isinstance(one, ast.Constant) and isinstance(one.value, str):
                    yield from "".join(c if c.isalnum() or c == "_" else " " for c in one.value).split()


@lru_cache(maxsize=1)
def _of_contracts() -> frozenset[str]:
    """Return the public attributes of all that a design meets: its base classes, steps, records, features."""
    names = {name for thing in (*BASES, *_MET) for name in dir(getattr(design, thing))}
    names |= {name for feature in FEATURES.values() for name in (*dir(feature), *vars(feature))}
    names |= {"begin", "end", "read"} | set(design.Vcpu.__dataclass_fields__) | _OF_INSTANCES
    return frozenset(name for name in names if not name.startswith("_"))


@lru_cache(maxsize=1)
def _of_bases() -> frozenset[str]:
    return frozenset(name for base in BASES for name in dir(getattr(design, base)))


def looked_at() -> Any:
    """Return what the classes and features hold that a design can name; a design that changes it has tampered."""
    things: list[Any] = [thing for thing in vars(design).values() if isinstance(thing, type)]
    things += [thing for feature in FEATURES.values() for thing in (feature, type(feature))]
    held = [dict(vars(thing)) for thing in things if hasattr(thing, "__dict__")]
    return [{name: _seen(value) for name, value in one.items() if name not in _KEPT_BY_PYTHON} for one in held]


_KEPT_BY_PYTHON = ("__slotnames__",)  # copyreg's note of a class whose instance was copied


def _seen(value: Any) -> Any:
    return (id(value), repr(value)) if isinstance(value, dict | list | set) else id(value)
