"""Runs the host's programs as plain functions: each step is taken where it is yielded, without generators.

A program that nothing interrupts is a function. Its text stays the one source: it is compiled a second time, with every
``yield`` replaced by a call. The rules kept here:

    yield Get(key)                     takes the step:  _at.get(key)     (likewise Set, Load, Store, Backed, Now)
    yield SIDE, step                   takes it for that side: _at.do(step, SIDE)
    yield from program(...)            calls the function that ``program`` compiles to:  _at.of[program](...)
    yield from host_side(program(...)) the same, for KVM's side, and after ToUser for the VMM's
    any other yield, yield from        _at.do(step), _at.drive(program): as the machine's own loop does it

Only the text of this package is compiled; an author's program is driven, step by step and under all checks. So is a
program whose text, compiled as it is, has other names or constants than what runs (``__private`` names of a class, a
file that was edited since). Steps are not counted by kind and not recorded; the clock runs as it does otherwise, so
memory holds the same bytes.
"""

import ast
from collections.abc import Callable
from copy import deepcopy
from functools import partial
from inspect import CO_GENERATOR
from operator import attrgetter
from types import CellType, CodeType, FunctionType, MethodType
from typing import Any

from workbench.clayout.types import Scalar
from workbench.core.driver import host_side
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.relay import driven
from workbench.core.rules.place import is_authors
from workbench.core.rules.returned import without_check
from workbench.core.rules.text import tree_of
from workbench.core.rules.values import PLAIN
from workbench.core.steps import KERNEL, USER, Backed, Get, Load, Moment, Now, Program, Set, Side, Store, ToUser
from workbench.core.transition import encode, moment_of, perform

#: The code of generator functions, by file (code equals that of a copy of the file), as that of plain functions; None:
#: it is driven.
_COMPILED: dict[tuple[str, CodeType], CodeType | None] = {}
#: What tells that code comes from a text. Its instructions do not: a call of what a module imports has others.
_NAMES = attrgetter("co_consts", "co_names", "co_varnames", "co_cellvars", "co_freevars")
#: Steps with a method of their own below, which takes the parts of the step.
_METHODS = {Get: "get", Set: "set", Load: "load", Store: "store", Backed: "backed", Now: "now"}


class Straight:
    """Runs programs of the host on ``machine``, each to its end."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._cpu, self._side = 0, KERNEL
        self.of = _Functions(self)  #: by program: the function that runs it, with the same arguments

    def run(self, cpu: int, program: Callable[..., Program], *arguments: Any) -> Any:
        """Run ``program(*arguments)`` for a vCPU, a stream of the driver; return its result."""
        self._cpu, self._side = cpu, KERNEL
        return self.of[program](*arguments)

    def host(self, side: Side = KERNEL) -> "_Functions":
        """The steps that follow are of ``side``: what the driver's ``host_side`` says of them."""
        self._side = side
        return self.of

    def do(self, step: Any, side: Side | None = None) -> Any:
        """Take any step."""
        if type(step) is tuple:
            side, step = step
        self._machine.ticks += 1
        answer = perform(self._machine, self._cpu, self._side if side is None else side, step)
        if type(step) is ToUser:
            self._side = USER
        return answer

    def drive(self, program: Program) -> Any:
        """Run a program that is a generator."""
        return driven(program, self.do)

    def get(self, key: Any) -> Any:
        self._machine.ticks += 1
        return self._machine.entries.get(key)

    def set(self, key: Any, value: Any) -> None:
        if type(key) is not Key or type(value) not in PLAIN:
            return self.do(Set(key, value))
        self._machine.ticks += 1
        return self._machine.set(key, value)

    def load(self, gpa: int, what: Any) -> Any:
        if type(what) is not Scalar:
            return self.do(Load(gpa, what))
        self._machine.ticks += 1
        data = self._machine.peek(gpa, what.size, self._side)
        return None if data is None else what.unpack(data)

    def store(self, gpa: int, value: Any, what: Any = None) -> bool:
        self._machine.ticks += 1
        data = encode(Store(gpa, value)) if what is None else what.pack(value)
        return self._machine.poke(gpa, data, self._side)

    def backed(self, gpa: int, size: int) -> bool:
        self._machine.ticks += 1
        return self._machine.backed(gpa, size, self._side)

    def now(self) -> Moment:
        self._machine.ticks += 1
        return moment_of(self._machine)


class _Functions(dict[Callable[..., Program], Callable[..., Any]]):
    """The functions of the programs that have run on one machine."""

    def __init__(self, at: Straight) -> None:
        self._at = at

    def __missing__(self, program: Callable[..., Program]) -> Callable[..., Any]:
        function: Any = program.__func__ if isinstance(program, MethodType) else program
        if not _is_generator(function):
            function = without_check(function)
        made = _straight(function, self._at) if _is_generator(function) else None
        if made is None:
            self[program] = partial(self._drive, program)
        else:
            self[program] = MethodType(made, program.__self__) if isinstance(program, MethodType) else made
        return self[program]

    def _drive(self, program: Callable[..., Program], *arguments: Any, **named: Any) -> Any:
        return self._at.drive(program(*arguments, **named))


def _is_generator(function: Any) -> bool:
    return isinstance(function, FunctionType) and bool(function.__code__.co_flags & CO_GENERATOR)


def _straight(function: FunctionType, at: Straight) -> FunctionType | None:
    """Return the plain function of a generator function; None if it is to be driven."""
    known = function.__code__.co_filename, function.__code__
    if known not in _COMPILED:
        _COMPILED[known] = _compiled(function.__code__, function.__globals__)
    code = _COMPILED[known]
    if code is None:
        return None
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)) | {"_at": CellType(at)}
    closure = tuple(cells[name] for name in code.co_freevars)
    made = FunctionType(code, function.__globals__, code.co_name, function.__defaults__, closure)
    made.__kwdefaults__ = function.__kwdefaults__
    return made


def _compiled(code: CodeType, names: dict[str, Any]) -> CodeType | None:
    """Return ``code`` as that of a plain function; None if it is an author's, or is not what its text says."""
    found = None if is_authors(code.co_filename) else tree_of(code)
    if found is None or _NAMES(_within(code, deepcopy(found))) != _NAMES(code):
        return None
    tree = deepcopy(found)
    local = {*code.co_varnames, *code.co_cellvars, *code.co_freevars}
    rewriter = _Rewriter({name: value for name, value in names.items() if name not in local})
    tree.body = [rewriter.visit(statement) for statement in tree.body]
    return _within(code, tree, "_at")


def _within(code: CodeType, tree: ast.FunctionDef, *more: str) -> CodeType:
    """Compile the definition ``tree`` of ``code``, whose free variables, and ``more``, are free variables again."""
    tree.decorator_list, tree.returns, tree.name = [], None, "_program"  # its own name is that of a global
    own = tree.args
    own.defaults, own.kw_defaults = [], [None] * len(own.kwonlyargs)  # the function is given them
    for one in (*own.posonlyargs, *own.args, *own.kwonlyargs, own.vararg, own.kwarg):
        if one is not None:
            one.annotation = None
    # What encloses the function has these variables.
    outer = ast.parse("def outer():\n " + "".join(f"{name} = " for name in (*code.co_freevars, *more)) + "None")
    outer.body[0].body.append(tree)  # type: ignore[attr-defined]
    made = _inner(_inner(compile(ast.fix_missing_locations(outer), code.co_filename, "exec", dont_inherit=True)))
    return made.replace(co_name=code.co_name, co_qualname=code.co_qualname)


def _inner(code: CodeType) -> CodeType:
    return next(one for one in code.co_consts if isinstance(one, CodeType))


class _Rewriter(ast.NodeTransformer):
    """Replaces every yield of one function, for which ``names`` are global names."""

    def __init__(self, names: dict[str, Any]) -> None:
        self._names = names

    def _named(self, function: ast.expr) -> Any:
        return self._names.get(function.id) if isinstance(function, ast.Name) else None

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        return node  # a program of its own

    def visit_Lambda(self, node: ast.Lambda) -> ast.Lambda:
        return node  # likewise

    def visit_Yield(self, node: ast.Yield) -> ast.expr:
        step = self.generic_visit(node).value  # type: ignore[attr-defined]
        kind = self._named(step.func) if isinstance(step, ast.Call) else None
        if isinstance(kind, type) and kind in _METHODS:
            return _call(_at(_METHODS[kind]), step.args, step.keywords, node)
        if isinstance(step, ast.Tuple):
            return _call(_at("do"), step.elts[::-1], [], node)
        return _call(_at("do"), [step or ast.Constant(None)], [], node)

    def visit_YieldFrom(self, node: ast.YieldFrom) -> ast.expr:
        program = self.generic_visit(node).value  # type: ignore[attr-defined]
        if not isinstance(program, ast.Call):
            return _call(_at("drive"), [program], [], node)
        functions: ast.expr = _at("of")
        if self._named(program.func) is host_side:
            inner, *side = program.args or (None,)
            if not isinstance(inner, ast.Call):
                return _call(_at("drive"), [program], [], node)
            functions, program = _call(_at("host"), side, program.keywords, node), inner
        function = ast.Subscript(functions, program.func, ast.Load())
        return _call(function, program.args, program.keywords, node)


def _at(name: str) -> ast.Attribute:
    return ast.Attribute(ast.Name("_at", ast.Load()), name, ast.Load())


def _call(function: ast.expr, arguments: list[ast.expr], named: list[ast.keyword], where: ast.expr) -> ast.expr:
    return ast.copy_location(ast.Call(function, arguments, named), where)
