"""What only the text of a class shows: Python runs it, and it does not do what its author meant.

Checked once for each class, when it is loaded from a file or when its first instance is made. What is reported is
certainly wrong; what a run shows is checked by the run (``sides``, ``returned``, ``unchanged``).
"""

import ast
import builtins
import inspect
import sys
from collections.abc import Iterator
from types import FunctionType, ModuleType
from typing import Any

from workbench.core.event_steps import (
    AddMemslot,
    Becoming,
    DeleteMemslot,
    Enter,
    Init,
    KernelGone,
    MoveMemslot,
    NewHost,
    OnHost,
    Pause,
    Reassign,
    Resume,
    SendDirty,
    SendMemory,
    Start,
    Stop,
    Wait,
    WaitAll,
)
from workbench.core.rules.flow import Flow
from workbench.core.rules.local_state import kept_outside, mutable_locals
from workbench.core.rules.names import no_feature
from workbench.core.rules.place import of_code
from workbench.core.rules.returned import RETURNS
from workbench.core.rules.sides import YIELDED_BY, objection_to_kind
from workbench.core.rules.text import methods_of, tree_of
from workbench.core.steps import GUEST, KERNEL, Side

#: Modules whose functions give another answer at each call.
_UNSTEADY = frozenset(("random", "secrets", "time", "uuid", "datetime"))
#: Single functions of other modules that do, by name.
_UNSTEADY_FUNCTIONS = frozenset(("urandom", "getpid", "getenv", "getrandom", "times"))
#: The steps of lifecycle events.
EVENT_STEPS = frozenset(
    (Start, Wait, WaitAll, Stop, Enter, Init, Pause, Resume, NewHost, SendMemory, SendDirty, OnHost, AddMemslot,
     DeleteMemslot, MoveMemslot, Reassign, KernelGone, Becoming)
)  # fmt: skip
_UNSTEADY_BUILTINS = frozenset(("id", "hash", "input"))
#: The contract's methods that are guest programs, and those that are host handlers.
_GUESTS = frozenset(
    ("prepare", "register", "register_all", "unregister", "confirm", "acknowledge", "revoke_all", "revoke_everything")
)
_HOSTS = frozenset(name for name, rule in RETURNS.items() if rule.is_program) - _GUESTS


def complaints(kind: type, own: type) -> Iterator[str]:
    """Yield what the text of ``own`` (``kind`` or a class that it derives from) shows, each with its place."""
    for function in _functions(own):
        node = tree_of(function.__code__)
        if node is not None:
            for line, text in sorted(set(Text(kind, function, node).complaints())):
                yield f"{of_code(function.__code__, line)}: {text}"


def _functions(own: type) -> Iterator[FunctionType]:
    """The functions of a class; of its module the generator functions, and others that those of the class name."""
    methods = list(methods_of(own).values())
    yield from methods
    names = {name for function in methods for name in function.__code__.co_names}
    for name, value in methods[0].__globals__.items() if methods else ():
        is_own = isinstance(value, FunctionType) and value.__module__ == own.__module__
        if is_own and (name in names or inspect.isgeneratorfunction(value)):
            yield value


class Text:
    """One function of a class, as text and as object."""

    def __init__(self, kind: type, function: FunctionType, node: ast.FunctionDef) -> None:
        self.kind, self.function, self.node = kind, function, node
        self.flow = Flow(node)
        self.is_program = bool(self.flow.yields) or getattr(RETURNS.get(node.name), "is_program", False)

    def complaints(self) -> Iterator[tuple[int, str]]:
        for call in (one for one in self.flow.nodes if isinstance(one, ast.Call)):
            yield from self._step(call)
            yield from self._generator(call)
            yield from self._unsteady(call)
            yield from self._key(call)
        yield from self._yields()
        yield from self._returns()
        yield from self._descriptor()
        if self.is_program:
            yield from mutable_locals(self.flow)
        if self.node.name not in ("__init__", "__new__", "__init_subclass__", "__set_name__"):
            yield from kept_outside(self.flow, self.function)

    # -- what names stand for --------------------------------------------------------------------------

    def value_of(self, node: ast.AST) -> Any:
        """Return the object that a name or a dotted name stands for; None if that is not certain."""
        if isinstance(node, ast.Name):
            if node.id in self.function.__code__.co_varnames:
                return self._imported(node.id)
            return self.function.__globals__.get(node.id, getattr(builtins, node.id, None))
        if isinstance(node, ast.Attribute):
            owner = self.value_of(node.value)
            return getattr(owner, node.attr, None) if isinstance(owner, ModuleType | type) else None
        return None

    def _imported(self, name: str) -> Any:
        """What an import inside the function gave a local name, as far as that is loaded already."""
        for node in self.flow.nodes:
            if isinstance(node, ast.Import | ast.ImportFrom):
                for alias in node.names:
                    if (alias.asname or alias.name.partition(".")[0]) == name:
                        whole = alias.name if isinstance(node, ast.Import) else node.module or ""
                        module = sys.modules.get(whole) or (__import__(whole) if whole in _UNSTEADY else None)
                        return module if isinstance(node, ast.Import) else getattr(module, alias.name, None)
        return None

    def _own_method(self, node: ast.AST) -> str | None:
        """The name of the method in ``self.name`` or ``super().name``."""
        if not isinstance(node, ast.Attribute):
            return None
        owner, arguments = node.value, self.node.args.args
        is_self = isinstance(owner, ast.Name) and bool(arguments) and owner.id == arguments[0].arg
        is_super = isinstance(owner, ast.Call) and isinstance(owner.func, ast.Name) and owner.func.id == "super"
        return node.attr if is_self or is_super else None

    def _is_program(self, called: ast.AST) -> bool:
        name = self._own_method(called)
        value = getattr(self.kind, name, None) if name else self.value_of(called)
        if name is not None and name in RETURNS:
            return RETURNS[name].is_program
        return isinstance(value, FunctionType) and inspect.isgeneratorfunction(inspect.unwrap(value))

    # -- the rules -------------------------------------------------------------------------------------

    def _step(self, call: ast.Call) -> Iterator[tuple[int, str]]:
        kind = self.value_of(call.func)
        if (kind in YIELDED_BY or kind in EVENT_STEPS) and self.flow.goes_nowhere(call):
            made = ast.unparse(call)
            yield call.lineno, f"{made} is made and not yielded, so nothing happens; write (yield {made})"

    def _generator(self, call: ast.Call) -> Iterator[tuple[int, str]]:
        if self._is_program(call.func) and self.flow.goes_nowhere(call):
            made = ast.unparse(call)
            yield call.lineno, f"{made} makes a generator that nothing runs; write (yield from {made})"

    def _unsteady(self, call: ast.Call) -> Iterator[tuple[int, str]]:
        value = self.value_of(call.func)
        name = getattr(value, "__name__", "")
        owner = getattr(value, "__self__", None)
        modules = {getattr(value, "__module__", None), type(owner).__module__, getattr(owner, "__name__", None)}
        known = value is not None and not isinstance(value, ModuleType)
        is_of_os = name in _UNSTEADY_FUNCTIONS and modules & {"os", "posix"}
        if known and (modules & _UNSTEADY or is_of_os or (name in _UNSTEADY_BUILTINS and owner is builtins)):
            yield (
                call.lineno,
                f"{ast.unparse(call)} gives another answer at each run, and engines replay programs; use what steps "
                "answer (Now for the time), zlib.crc32 for a number of a name",
            )

    def _key(self, call: ast.Call) -> Iterator[tuple[int, str]]:
        made = self.value_of(call.func)
        if getattr(made, "__module__", "") != "workbench.core.host_state" or len(call.args) != 2:
            return
        if made.__name__ not in ("area", "pending", "baseline"):
            return
        said = call.args[1]
        name = said.value if isinstance(said, ast.Constant) else self.value_of(said)
        if isinstance(name, str) and (wrong := no_feature(name)):
            yield call.lineno, f"{ast.unparse(call)} names no feature, so nothing is served; {wrong}"

    def _yields(self) -> Iterator[tuple[int, str]]:
        side: Side | None = None
        if self.kind.__mro__[-2].__name__ == "Protocol":
            side = GUEST if self.node.name in _GUESTS else KERNEL if self.node.name in _HOSTS else None
        elif self.kind.__mro__[-2].__name__ == "Feature":
            side = {"prepare": GUEST, "read": GUEST, "update": KERNEL}.get(self.node.name)
        for own in self.flow.yields:
            value = own.value
            called = value.func if isinstance(value, ast.Call) else None
            kind: Any = self.value_of(called) if called is not None else None
            made = ast.unparse(value) if value is not None else ""
            if isinstance(own, ast.YieldFrom):
                if kind in YIELDED_BY:
                    yield own.lineno, f"yield from {made} yields the fields of the step; write yield {made}"
                continue
            if called is not None and self._is_program(called):
                yield own.lineno, f"yield {made} yields a generator, which is no step; write yield from {made}"
            elif side is not None and kind in YIELDED_BY and side not in YIELDED_BY[kind]:
                yield own.lineno, objection_to_kind(side, kind, made)

    def _returns(self) -> Iterator[tuple[int, str]]:
        """A return that always gives the wrong thing."""
        rule = RETURNS.get(self.node.name)
        if rule is None or rule.accepts is None or self.kind.__mro__[-2].__name__ != "Protocol":
            return
        returns = [one for one in self.flow.nodes if isinstance(one, ast.Return)]
        for one in returns:
            known, value = self._constant(one.value)
            if known and not rule.accepts(value):
                shown = ast.unparse(one.value) if one.value is not None else "nothing"
                yield one.lineno, f"returns {shown}; it must return {rule.words}"
        raises = any(isinstance(one, ast.Raise) for one in self.flow.nodes)
        if not returns and self.is_program and not raises and not rule.accepts(None) and self.flow.yields:
            yield self.node.lineno, f"ends without a return; it must return {rule.words}"

    def _constant(self, node: ast.expr | None) -> tuple[bool, Any]:
        if node is None:
            return True, None
        if isinstance(node, ast.Name) and node.id not in self.function.__code__.co_varnames:
            value = self.function.__globals__.get(node.id)
            return value is not None, value
        if isinstance(node, ast.Compare) or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not)):
            return True, True
        try:
            return True, ast.literal_eval(node)
        except (ValueError, TypeError, SyntaxError):
            return False, None

    def _descriptor(self) -> Iterator[tuple[int, str]]:
        if getattr(self.kind, "descriptor", self) is not None:
            return
        parameters = {one.arg for one in self.node.args.args[1:]}
        for one in self.flow.nodes:
            is_read = isinstance(one, ast.Attribute) and one.attr == "descriptor" and isinstance(one.value, ast.Name)
            if is_read and one.value.id in parameters:  # type: ignore[attr-defined]
                yield (
                    one.lineno,  # type: ignore[attr-defined]
                    f"{ast.unparse(one)} is no memory, because the class has no descriptor; write descriptor = "
                    'struct("struct ... { ... };")',
                )
