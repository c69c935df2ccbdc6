"""Formats the results of a replay: a line for each mismatch and a count, or JSON records for other programs.

The rule kept here: the same results give the same text, with one line for each mismatch.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.core.outcome import Outcome
from workbench.core.vmm import Vmm
from workbench.replay.expectations import EXPECTATIONS, key_of
from workbench.replay.grammar import Operation
from workbench.replay.runner import Result, totals
from workbench.replay.values import UNSAID

_LONGEST_HEX = 128
_MISSING = {"hex": "no bytes", "value": "no value"}


def as_text(results: Sequence[Result]) -> str:
    """Return a line for each mismatch (file, line, operation, expected, observed), then the count."""
    lines = [line for result in results for line in mismatches(result)]
    passed, failed = totals(results)
    return "\n".join([*lines, f"{passed} passed, {failed} failed"])


def mismatches(result: Result) -> Iterable[str]:
    """Yield one line for each expectation that was not met."""
    step = result.operation
    for key in result.failed:
        expected = EXPECTATIONS[key].joined.join(_shown(word) for word in step.expect[key])
        yield (
            f"{result.file}:{step.line}: {describe(step)}: {key}: "
            f"expected {EXPECTATIONS[key].says}{expected}, observed {seen(result.observed, key_of(key))}"
        )


def describe(step: Operation) -> str:
    """Return an operation in one line: its name and arguments."""
    given = [(key, value) for key, value in step.arguments.items() if value not in UNSAID or key == "protocol"]
    arguments = (f"{key}={value if key == 'cpu' else _shown(value)}" for key, value in given)
    return " ".join([step.op, *arguments])


def records(results: Iterable[Result]) -> list[dict[str, Any]]:
    """Return a record for each operation: file, line, op, expected, observed, ok.

    ``expected`` is as the file has it; in ``observed`` values are hex strings, as JSON numbers end at 2^53.
    """
    return [
        {
            "file": result.file,
            "line": result.operation.line,
            "op": result.operation.op,
            "expected": result.operation.written,
            "observed": {key: _plain(key, value) for key, value in result.observed.items()},
            "ok": result.ok,
        }
        for result in results
    ]


def _plain(key: str, value: Any) -> Any:
    if isinstance(value, Outcome):
        return value.name
    if isinstance(value, tuple):
        return [_plain(key, one) for one in value]
    return f"{value:#x}" if type(value) is int and key in ("value", "values", "sent") else value


def _shown(value: Any) -> str:
    if isinstance(value, Outcome):
        return value.name
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:#x}"
    if isinstance(value, frozenset):
        return "[" + ",".join(str(bit) for bit in sorted(value)) + "]"
    if isinstance(value, Vmm):
        return value.name
    if isinstance(value, tuple):
        return "[" + ", ".join(_shown(one) for one in value) + "]"
    text = value.hex() if isinstance(value, bytes) else str(value)
    return text if len(text) <= _LONGEST_HEX else f"{text[:_LONGEST_HEX]}... ({len(text) // 2} bytes)"


def seen(observed: Mapping[str, Any], key: str) -> str:
    """Return one key of an answer as text."""
    if key in observed:
        return _shown(observed[key])
    why = observed.get("outcome")
    return f"{_MISSING[key]} ({'not accepted' if why is None else why.name})"
