"""What a replay file can expect of an operation: one entry each says how it is written, compared and shown.

The rules kept here: an expectation about something that was not returned is not met, negative ones included; UNKNOWN
meets an expected FAULT, because a guest cannot tell the two apart.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from workbench.core.outcome import FAULT, UNKNOWN, Outcome
from workbench.replay import values


class Expectation(NamedTuple):
    """How the words of an expectation are parsed, and whether what was ``seen`` meets them.

    ``of``: the key of the answer that is compared, if not its own. ``says``, ``joined``: what stands before the words
    in a message, and between them.
    """

    parse: Callable[[object], tuple[Any, ...]]
    meets: Callable[[Any, tuple[Any, ...]], bool] = lambda seen, words: seen in words
    of: str = ""
    says: str = ""
    joined: str = " or "


def fits(digits: str, pattern: str) -> bool:
    """Tell whether hex ``digits`` fit ``pattern``, in which ``?`` stands for any digit."""
    if "?" not in pattern:
        return digits == pattern
    pairs = zip(digits, pattern, strict=True)
    return all(wanted in ("?", digit) for digit, wanted in pairs)


def _fits_one(seen: str, words: tuple[str, ...]) -> bool:
    return any(fits(seen, word) for word in words)


def _sent(seen: tuple[tuple[int, int], ...], gpa: int) -> bool:
    return any(low <= gpa < high for low, high in seen)


def one(parse: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    """Return a parser of exactly one value."""
    return lambda value: (parse(value),)


EXPECTATIONS: Mapping[str, Expectation] = {
    "outcome": Expectation(values.one_or_more(values.outcome)),
    "value": Expectation(values.one_or_more(values.word)),
    "hex": Expectation(values.one_or_more(values.pattern), _fits_one),
    "not_hex": Expectation(
        values.one_or_more(values.pattern), lambda seen, words: not _fits_one(seen, words), of="hex", says="not "
    ),
    "accepted": Expectation(one(values.boolean)),
    "processed": Expectation(values.one_or_more(values.entry_count)),
    "values": Expectation(one(values.words)),
    "at_least": Expectation(one(values.u64), lambda seen, words: seen >= words[0], of="ns", says="at least "),
    "at_most": Expectation(one(values.u64), lambda seen, words: seen <= words[0], of="ns", says="at most "),
    "machine": Expectation(values.one_or_more(values.end)),
    "runs_on": Expectation(values.one_or_more(values.place)),
    "realtime": Expectation(one(values.boolean)),
    "sent": Expectation(
        values.one_or_more(values.u64), lambda seen, words: all(_sent(seen, gpa) for gpa in words), joined=" and "
    ),
    "not_sent": Expectation(
        values.one_or_more(values.u64),
        lambda seen, words: not any(_sent(seen, gpa) for gpa in words),
        of="sent",
        says="neither ",
        joined=" nor ",
    ),
}


def key_of(expected: str) -> str:
    """Return the key of the answer with which an expectation is compared."""
    return EXPECTATIONS[expected].of or expected


def is_met(key: str, seen: Any, words: tuple[Any, ...], *, tells_unknown: bool) -> bool:
    """Tell whether what was ``seen`` meets an expectation."""
    if isinstance(seen, Outcome):
        return any(_satisfies(seen, word, tells_unknown) for word in words)
    return EXPECTATIONS[key].meets(seen, words)


def _satisfies(seen: Outcome, word: Outcome, tells_unknown: bool) -> bool:
    if seen is UNKNOWN:
        return word in (UNKNOWN, FAULT)
    return seen is word or (seen is FAULT and word is UNKNOWN and not tells_unknown)
