"""Parsers for the values of replay operations: each returns the value or raises an error saying what is allowed.

The rule kept here: a value is taken exactly or refused with :class:`NotAllowedError`; nothing is rounded,
clipped or guessed. Numbers are JSON integers or strings, because in many languages JSON numbers end at 2^53.
"""

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from workbench.core.outcome import Becomes, Outcome
from workbench.core.replay_vmm import MAX_IO_MSRS
from workbench.core.vcpu import MAX_VCPUS
from workbench.core.vmm import STOPS_SHORT, VMMS, Vmm
from workbench.errors import WorkbenchError, not_known

U64_MAX = (1 << 64) - 1
U32_MAX = (1 << 32) - 1
#: The most bytes of one load or store; longer ones are unreadable for people and slow to carry out.
MAX_BYTES = 1 << 20
#: The most arguments of a hypercall: as many registers pass them (rbx, rcx, rdx, rsi, rdi, r8, r9).
MOST_ARGUMENTS = 7

_NUMBER = re.compile(r"0[xX][0-9a-fA-F]+|[0-9]+")
_BYTES = re.compile(r"(?:[0-9a-fA-F]{2})+")
_PATTERN = re.compile(r"(?:[0-9a-fA-F?]{2})+")
_LONGEST_QUOTE = 40
#: Decimal digits of 2^64 - 1, or hex digits with 0x: a longer string is out of range, whatever it says.
_LONGEST_NUMBER = 40


class NotAllowedError(WorkbenchError):
    """A value that an operation cannot take; the message says what is allowed."""


def quote(value: object) -> str:
    """Return ``value`` as JSON in plain ASCII, shortened if it is long, for use in a one-line message."""
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) > U64_MAX:
        return f"a number of {value.bit_length()} bits"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    text = json.dumps(value)
    return text if len(text) <= _LONGEST_QUOTE else f"{text[:_LONGEST_QUOTE]}..."


def number(low: int, high: int) -> Callable[[object], int]:
    """Return a parser of numbers from ``low`` to ``high``."""

    def parse(value: object) -> int:
        found = _as_number(value)
        if found is None or not low <= found <= high:
            raise NotAllowedError(
                f'{quote(value)} is not allowed; allowed: an integer or a string like "0x1f" or "31", '
                f"from {low} to {high:#x}"
            )
        return found

    return parse


def _as_number(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and len(value) <= _LONGEST_NUMBER and _NUMBER.fullmatch(value):
        return int(value, 16 if value[:2] in ("0x", "0X") else 10)
    return None


u64 = number(0, U64_MAX)
u32 = number(0, U32_MAX)
cpu_index = number(0, MAX_VCPUS - 1)
vcpu_count = number(1, MAX_VCPUS)
byte_count = number(1, MAX_BYTES)
entry_count = number(0, MAX_IO_MSRS - 1)
_bit = number(0, 31)


def boolean(value: object) -> bool:
    """Parse true or false."""
    if isinstance(value, bool):
        return value
    raise NotAllowedError(f"{quote(value)} is not allowed; allowed: true, false")


def text(value: object) -> str:
    """Parse a string."""
    if isinstance(value, str):
        return value
    raise NotAllowedError(f"{quote(value)} is not allowed; allowed: a string")


def bits(value: object) -> frozenset[int]:
    """Parse a list of bit numbers of a 32-bit word."""
    if not isinstance(value, list):
        raise NotAllowedError(f"{quote(value)} is not allowed; allowed: a list of bit numbers from 0 to 31")
    return frozenset(_bit(item) for item in value)


def word(value: object) -> int:
    """Parse the content of a 64-bit register; a negative number is the word with the same bits."""
    if type(value) is int and -(1 << 63) <= value < 0:
        return value + (1 << 64)
    return u64(value)


def _listed(value: object, parse: Callable[[object], Any], most: int, what: str) -> tuple[Any, ...]:
    if not isinstance(value, list) or len(value) > most:
        said = f"a list of {len(value)}" if isinstance(value, list) else quote(value)
        raise NotAllowedError(f"{said} is not allowed; allowed: a list of at most {most} {what}")
    return tuple(parse(item) for item in value)


def registers(value: object) -> tuple[int, ...]:
    """Parse a list of registers' numbers."""
    return _listed(value, u32, MAX_IO_MSRS - 1, "registers")


def entries(value: object) -> tuple[tuple[int, int], ...]:
    """Parse a list of [register, value]."""
    return _listed(value, _entry, MAX_IO_MSRS - 1, "entries [register, value]")


def _entry(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise NotAllowedError(f"{quote(value)} is not allowed; allowed: an entry [register, value]")
    return u32(value[0]), u64(value[1])


def words(value: object) -> tuple[int, ...]:
    """Parse a list of the contents of 64-bit registers."""
    return _listed(value, word, MAX_IO_MSRS - 1, "numbers")


def call_arguments(value: object) -> tuple[int, ...]:
    """Parse the arguments of a hypercall, one for each register that passes them."""
    return _listed(value, word, MOST_ARGUMENTS, "numbers")


def moment(value: object) -> int | bool:
    """Parse a time of day in ns; true is now, false is none."""
    return value if isinstance(value, bool) else u64(value)


def data(value: object) -> bytes:
    """Parse bytes, two hex digits each; spaces are ignored."""
    digits = _digits(value)
    if not _BYTES.fullmatch(digits) or len(digits) > 2 * MAX_BYTES:
        raise NotAllowedError(
            f"{quote(value)} is not allowed; allowed: two hex digits for each of 1 to {MAX_BYTES} bytes"
        )
    return bytes.fromhex(digits)


def pattern(value: object) -> str:
    """Parse bytes to compare with: hex digits, ``?`` for any; return them in lower case without spaces."""
    digits = _digits(value)
    if not _PATTERN.fullmatch(digits):
        raise NotAllowedError(f"{quote(value)} is not allowed; allowed: two hex digits for each byte, ? for any digit")
    return digits.lower()


def _digits(value: object) -> str:
    return value.replace(" ", "") if isinstance(value, str) else ""


def outcome(value: object) -> Outcome:
    """Parse the name of an outcome, in any case."""
    return Outcome[_named(value.upper() if isinstance(value, str) else value, Outcome.__members__, value)]


#: The words of a file for what becomes of the machine; that it goes on with less is seen in its registers.
END_OF = {
    Becomes.GOES_ON: "goes_on", Becomes.LESS: "goes_on", Becomes.REFUSED: "refused", Becomes.ABORTS: "aborts",
}  # fmt: skip


#: What a migration that fails leaves of its source: a machine that goes on, or nothing.
RESUMES, GONE = "resumes", "gone"
#: Arguments that go without saying where an operation is told in one line.
UNSAID = (None, STOPS_SHORT, GONE)
#: Where the machine runs after a migration.
DESTINATION, SOURCE, NOWHERE = "destination", "source", "nowhere"


def source(value: object) -> str:
    """Parse what becomes of the source of a migration that fails."""
    return _named(value, (RESUMES, GONE))


def place(value: object) -> str:
    """Parse where a machine runs after a migration."""
    return _named(value, (DESTINATION, SOURCE, NOWHERE))


def vmm(value: object) -> Vmm:
    """Parse the name of a VMM."""
    return VMMS[_named(value, VMMS)]


def end(value: object) -> str:
    """Parse what becomes of a machine."""
    return _named(value, dict.fromkeys(END_OF.values()))


def _named(value: object, names: Iterable[str], written: object = None) -> str:
    """Return a name that is among ``names``; ``written``: as the file has it, if that is not ``value``."""
    if isinstance(value, str) and value in names:
        return value
    shown = value if written is None else written
    name = shown if isinstance(shown, str) else ""
    raise not_known(f"{quote(shown)} is not allowed", name, names, lead="allowed").within("", NotAllowedError)


def one_or_more(parse: Callable[[object], Any]) -> Callable[[object], tuple[Any, ...]]:
    """Return a parser of one value, or of a list of at least one."""

    def parse_all(value: object) -> tuple[Any, ...]:
        if value == []:
            raise NotAllowedError("an empty list is not allowed; allowed: a value, or a list of at least one")
        return tuple(parse(item) for item in value) if isinstance(value, list) else (parse(value),)

    return parse_all
