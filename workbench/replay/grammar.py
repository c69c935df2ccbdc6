"""Parses the operations of a replay file: their keys, and the expectations they have.

``workbench.replay.operations`` has the operations. A key that an operation does not have is refused, because a misspelt
expectation would silently test nothing.
"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, NamedTuple

from workbench.errors import WorkbenchError, not_known
from workbench.replay.expectations import EXPECTATIONS
from workbench.replay.form import REQUIRED, Form
from workbench.replay.operations import OPERATIONS
from workbench.replay.values import NotAllowedError, quote


class Operation(NamedTuple):
    """One parsed line of a replay file, with all arguments, defaults included."""

    line: int
    op: str
    arguments: Mapping[str, Any]
    expect: Mapping[str, tuple[Any, ...]] = {}  #: allowed values (of ``not_hex``: forbidden ones) by key
    written: Mapping[str, Any] = {}  #: ``expect`` as written in the file


def complete(line: int, op: str, arguments: Mapping[str, Any]) -> Operation:
    """Return an operation with these arguments, and the defaults of all others."""
    return Operation(line, op, {**_defaults(op), **arguments})


@cache
def _defaults(op: str) -> Mapping[str, Any]:
    return {key: field.default for key, field in OPERATIONS[op].fields.items() if field.default is not REQUIRED}


def operation(line: int, record: Mapping[str, Any]) -> Operation:
    """Return the operation that ``record`` spells; raise NotAllowedError, saying what is wrong and what is allowed."""
    name = record.get("op")
    form = OPERATIONS.get(name) if isinstance(name, str) else None
    if form is None:
        wrong = f"unknown operation {quote(name)}" if "op" in record else 'the key "op" is missing'
        raise _among(wrong, name if isinstance(name, str) else "", OPERATIONS, "operations")
    assert isinstance(name, str)
    try:
        arguments = _arguments(form, record)
        expect = _expectations(name, form, record["expect"]) if "expect" in record else {}
        _check_lengths(arguments, expect)
    except NotAllowedError as error:
        raise error.within(f"{name}: ", NotAllowedError) from None
    return Operation(line, name, arguments, expect, record.get("expect", {}))


def _arguments(form: Form, record: Mapping[str, Any]) -> dict[str, Any]:
    allowed = ["op", *form.fields, *(["expect"] if form.expects else [])]
    known = {*allowed, "expect"}  # an expectation of an operation that has none gets a message of its own
    _refuse_unknown("key", (key for key in record if key not in known), allowed, "keys")
    arguments = {}
    for key, field in form.fields.items():
        if key in record:
            arguments[key] = _parsed(key, field.parse, record[key])
        elif field.default is REQUIRED:
            needed = ", ".join(name for name, each in form.fields.items() if each.default is REQUIRED)
            raise NotAllowedError(f'the key "{key}" is missing; needed: {needed}')
        else:
            arguments[key] = field.default
    return arguments


def _expectations(name: str, form: Form, expect: object) -> dict[str, tuple[Any, ...]]:
    if not form.expects:
        raise NotAllowedError(f"it returns nothing, so it can expect nothing; expectations: {_who_expects()}")
    if not isinstance(expect, dict):
        raise NotAllowedError(f"expect: {quote(expect)} is not allowed; allowed: an object")
    wrong = (key for key in expect if key not in form.expects)
    _refuse_unknown("expectation", wrong, form.expects, f"{name} can expect")
    return {key: _parsed(f"expect: {key}", EXPECTATIONS[key].parse, value) for key, value in expect.items()}


def _who_expects() -> str:
    return "; ".join(f"{name}: {', '.join(form.expects)}" for name, form in OPERATIONS.items() if form.expects)


def _check_lengths(arguments: Mapping[str, Any], expect: Mapping[str, tuple[Any, ...]]) -> None:
    """Refuse a pattern whose length differs from the load's: it could never match, or would always differ."""
    for key in ("hex", "not_hex"):
        for pattern in expect.get(key, ()):
            if len(pattern) != 2 * arguments["size"]:
                raise NotAllowedError(
                    f"expect: {key}: {len(pattern) // 2} bytes cannot be compared with a load of {arguments['size']}"
                )


def _refuse_unknown(kind: str, unknown: Iterable[str], allowed: Iterable[str], lead: str) -> None:
    for key in unknown:
        raise _among(f"unknown {kind} {quote(key)}", key, allowed, lead)


def _among(said: str, name: str, names: Iterable[str], lead: str) -> WorkbenchError:
    return not_known(said, name, names, lead=lead).within("", NotAllowedError)


def _parsed(key: str, parse: Callable[[object], Any], value: object) -> Any:
    try:
        return parse(value)
    except NotAllowedError as error:
        raise error.within(f"{key}: ", NotAllowedError) from None
