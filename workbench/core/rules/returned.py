"""What each method of a protocol must return, checked at every call: a class's methods are wrapped when it is defined.

A program (a generator of steps) is passed on unchanged if nothing reads what it returns, or if the driver looks at it;
otherwise one more generator looks at the value. Cost: ``python -m benchmarks.rules``.
"""

import ast
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from functools import wraps
from types import FunctionType, GeneratorType
from typing import Any, NamedTuple

from workbench.core.outcome import AcceptedAt, Answer, Outcome
from workbench.core.rules.place import of_code
from workbench.core.rules.text import tree_of
from workbench.core.rules.wording import value_said
from workbench.core.steps import Program
from workbench.errors import AuthorError


def _is_outcome(value: Any) -> bool:
    return type(value) is Outcome


def _is_int(value: Any) -> bool:
    # isinstance: a number that stands for many vCPUs at once says that it is an int.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_int_or_outcome(value: Any) -> bool:
    return _is_outcome(value) or _is_int(value)


def _is_call_result(value: Any) -> bool:
    return value is Outcome.UNKNOWN or _is_int(value) or (isinstance(value, tuple) and all(map(_is_int, value)))


def _is_answer(value: Any) -> bool:
    return type(value) is Answer or (type(value) is AcceptedAt and _is_int(value.gpa))


def _is_answer_or_none(value: Any) -> bool:
    return value is None or type(value) is Answer


def _are_answers(value: Any) -> bool:
    return isinstance(value, tuple) and all(map(_is_answer, value))


def _is_state(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(type(one).__name__ == "StateEntry" for one in value)


class Rule(NamedTuple):
    """What a method returns: is it a program, a test of the value (None: nothing reads it), the rule in words."""

    is_program: bool
    accepts: Callable[[Any], bool] | None = None
    words: str = ""
    quick: frozenset[type] = frozenset()  #: types of which every value is accepted
    by_caller: bool = False  #: whoever calls the method looks at the value, so that nothing is wrapped


_OUTCOME, _ANSWER, _INT, _BOOL = (frozenset({kind}) for kind in (Outcome, Answer, int, bool))
_STATE = "a list of StateEntry(cpu, name, entry_bytes, wire_bytes, interface, architected, carried)"

#: By method of ``core.contracts.Protocol``: a new method of the contract is one line here.
RETURNS: Mapping[str, Rule] = {
    "prepare": Rule(True),
    "register": Rule(True, _is_answer, "what the guest concludes: ACCEPTED, REFUSED or AcceptedAt(gpa)", _ANSWER, True),
    "register_all": Rule(True, _are_answers, "a tuple with ACCEPTED, REFUSED or AcceptedAt(gpa) for each area"),
    "unregister": Rule(True, _is_answer_or_none, "ACCEPTED or REFUSED, what the guest concludes"),
    "confirm": Rule(True, _is_answer_or_none, "ACCEPTED or REFUSED, what the host shows, or None"),
    "acknowledge": Rule(True),
    "revoke_all": Rule(True),
    "revoke_everything": Rule(True),
    "on_wrmsr": Rule(True, _is_outcome, "HANDLED, FAULT or UNKNOWN", _OUTCOME, True),
    "on_rdmsr": Rule(True, _is_int_or_outcome, "the register's value, an int, or FAULT or UNKNOWN", _INT, True),
    "on_hypercall": Rule(True, _is_call_result, "an int or a tuple of ints, or UNKNOWN", _INT, True),
    "on_mmio_read": Rule(True, _is_int, "the value that the guest reads, an int", _INT, True),
    "on_mmio_write": Rule(True),
    "on_pio_read": Rule(True, _is_int, "the value that the guest reads, an int", _INT, True),
    "on_pio_write": Rule(True),
    "on_init": Rule(True),
    "on_guest_stopped": Rule(True, lambda value: isinstance(value, bool), "True or False: is it accepted?", _BOOL),
    "on_clock_set": Rule(True),
    "on_entry": Rule(True),
    "deliver": Rule(True),
    "save": Rule(True, lambda value: isinstance(value, tuple), "a tuple; write return tuple(saved)"),
    "vmm_keeps": Rule(True, lambda value: isinstance(value, tuple), "a tuple of items as save returns them"),
    "restore": Rule(True, lambda value: value is None or _is_int(value), "how many items the host refused, or None"),
    "supports": Rule(False, lambda value: isinstance(value, bool), "True or False", _BOOL, True),
    "serving": Rule(False, lambda value: value is None or _is_int(value), "an address, an int, or None", _INT, True),
    "named": Rule(False, lambda value: value is None or _is_int(value), "an address, an int, or None", _INT),
    "control_bits": Rule(False, lambda value: type(value).__name__ == "ControlBits", "ControlBits(...)"),
    "state": Rule(False, _is_state, _STATE),
}


def wrap_methods(kind: type) -> None:
    """Replace the contract's methods that ``kind`` defines by ones whose results are checked.

    A method that a class inherits from one that is not a protocol (a mixin) is wrapped for this class.
    """
    for name, rule in RETURNS.items():
        function = getattr(kind, name, None)
        if isinstance(function, FunctionType) and not hasattr(function, "__wrapped__") and not _is_base(kind, name):
            setattr(kind, name, _wrapped(function, name, rule))


def _is_base(kind: type, name: str) -> bool:
    """Tell whether ``name`` is the default of the contract itself, the last class before ``object``."""
    return name not in {key for base in kind.__mro__[:-2] for key in vars(base)}


def _wrapped(function: FunctionType, name: str, rule: Rule) -> Callable[..., Any]:
    accepts, quick = rule.accepts, rule.quick
    is_generator = inspect.isgeneratorfunction(function)
    if is_generator == rule.is_program and (accepts is None or rule.by_caller):
        return function  # nothing reads what it returns, or the caller looks at it

    @wraps(function)
    def called(*args: Any, **named: Any) -> Program:
        made = function(*args, **named)
        if type(made) is not GeneratorType:
            raise AuthorError(not_a_program(function, name, made))
        return made

    @wraps(function)
    def program(*args: Any, **named: Any) -> Program:
        made = function(*args, **named)
        if type(made) is not GeneratorType:
            raise AuthorError(not_a_program(function, name, made))
        value = yield from made
        if accepts is not None and type(value) not in quick and not accepts(value):
            raise AuthorError(wrong_return(function, value, rule))
        return value

    @wraps(function)
    def plain(*args: Any, **named: Any) -> Any:
        value = function(*args, **named)
        if accepts is not None and type(value) not in quick and not accepts(value):
            raise AuthorError(wrong_return(function, value, rule))
        return value

    if not rule.is_program:
        return plain
    return called if accepts is None or rule.by_caller else program


def without_check(function: Any) -> Any:
    """Return what a check of :func:`wrap_methods` wraps; ``function`` itself if it is no such check."""
    return function.__wrapped__ if getattr(function, "__globals__", None) is globals() else function


def checked(protocol: Any, name: str, value: Any) -> Any:
    """Return ``value``, which a method of ``protocol`` returned; raise AuthorError if it may not return that."""
    rule = RETURNS[name]
    if rule.accepts is not None and not rule.accepts(value):
        raise AuthorError(wrong_return(inspect.unwrap(getattr(type(protocol), name)), value, rule))
    return value


def not_a_program(function: FunctionType, name: str, made: Any) -> str:
    """Say that a method is an ordinary function although it must be a generator of steps."""
    where = of_code(function.__code__)
    if inspect.iscoroutine(made) or inspect.isasyncgen(made):
        if inspect.iscoroutine(made):
            made.close()
        return f"{where}: is async; write def {name}, and yield each step"
    return (
        f"{where}: returned {_said(made)} at once: without a yield it is an ordinary function, and {name} must be a "
        "generator of steps; yield its steps, or, if it takes none, write a line with yield alone after the return"
    )


def wrong_return(function: FunctionType, value: Any, rule: Rule) -> str:
    """Say that a method returned the wrong thing, with the line of the return statement if it can be told."""
    line = return_line(function, value)
    where = of_code(function.__code__, line)
    if value is None and line is None:
        return f"{where}: ends without a return; it must return {rule.words}"
    if isinstance(value, GeneratorType):
        return f"{where}: returned a generator; write return (yield from {value.__name__}(...))"
    return f"{where}: returned {_said(value)}; it must return {rule.words}"


def _said(value: Any) -> str:
    return f"{value.name}, an {type(value).__name__}" if isinstance(value, Enum) else value_said(value)


def return_line(function: FunctionType, value: Any) -> int | None:
    """Return the line of the return statement that gave ``value``: the only one of this value, or the only one."""
    node = tree_of(function.__code__)
    if node is None:
        return None
    returns = [one for one in ast.walk(node) if isinstance(one, ast.Return)]
    same = [one for one in returns if _gives(one.value, value, function)]
    open_ended = [one for one in returns if one.value is not None and not _is_constant(one.value, function)]
    if value is None:
        return same[0].lineno if same else None
    found = same or (open_ended if len(open_ended) == 1 else [])
    return found[0].lineno if found else None


def _constant(node: ast.expr | None, function: FunctionType) -> tuple[bool, Any]:
    """Return whether an expression is a constant or a global name, and its value."""
    if node is None:
        return True, None
    if isinstance(node, ast.Name) and node.id in function.__globals__:
        return True, function.__globals__[node.id]
    try:
        return True, ast.literal_eval(node)
    except (ValueError, TypeError, SyntaxError):
        return False, None


def _is_constant(node: ast.expr, function: FunctionType) -> bool:
    return _constant(node, function)[0]


def _gives(node: ast.expr | None, value: Any, function: FunctionType) -> bool:
    known, said = _constant(node, function)
    return known and type(said) is type(value) and bool(said == value)
