"""Claims in a notebook: a sentence, the expected value, and a function that computes it. Each prints PASS or FAIL.

A notebook made of claims is also a test: no line of its output may begin with FAIL.
"""

import sys
from collections.abc import Callable
from typing import Any

PASS, FAIL = "PASS", "FAIL"


def claim(text: str, expected: Any, find_out: Callable[[], Any]) -> None:
    """Call ``find_out`` and print whether it returns ``expected``; on an exception the claim fails.

    A number may be expected as text, such as ``"0x1000"``.
    """
    sys.stdout.write(verdict(text, expected, find_out) + "\n")


def verdict(text: str, expected: Any, find_out: Callable[[], Any]) -> str:
    """Return the line that :func:`claim` prints."""
    try:
        found = find_out()
    except Exception as error:  # noqa: BLE001  any error must appear as a failed claim
        return f"{FAIL}  {text}: expected {_shown(expected)}, but {type(error).__name__}: {error}"
    if isinstance(expected, str) and type(found) is int:
        found = hex(found)  # an address may be expected as hexadecimal text
    if bool(found == expected):
        return f"{PASS}  {text}: {_shown(found)}"
    return f"{FAIL}  {text}: expected {_shown(expected)}, found {_shown(found)}"


def _shown(value: Any) -> str:
    """Return a value as text; enum members by their value."""
    if isinstance(value, set | frozenset):
        return "{" + ", ".join(sorted(map(_shown, value))) + "}"  # the order of a set differs from run to run
    word = getattr(value, "value", value)
    return word if isinstance(word, str) else repr(value)
