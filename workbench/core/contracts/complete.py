"""Whether a feature or an event of an author's file says all that it must; the message tells what to write."""

import re
from collections.abc import Mapping
from typing import Any, get_args

from workbench.clayout.layout import Struct
from workbench.core.contracts.event import Event
from workbench.core.contracts.feature import Bound, Compared, Counted, Feature, Hidden, Update
from workbench.core.contracts.protocol import Protocol
from workbench.core.kvm_registers import Register
from workbench.core.rules.author import check_class, check_text
from workbench.errors import WorkbenchError

#: A name stands in tables, in lists, in ``a+b`` and in names of files.
_NAME = re.compile(r"\w[\w.-]{0,63}")
_TITLE = (str, 'a few words for tables: title = "steal time"')
_FEATURE: Mapping[str, tuple[Any, str]] = {
    "name": (str, 'its name: name = "steal_time"'),
    "title": _TITLE,
    "payload": (Struct, 'its structure: payload = struct("struct s { __u32 version; };")'),
    "size": (int, "the bytes of its area: size = 64"),
    "align": (int, "a number of bytes"),
    "registers": (tuple, "a tuple of Register"),
    "counted": (Counted | None, "a Counted, or None"),
    "compared": (Compared | None, "a Compared, or None"),
    "hidden": (Hidden | None, "a Hidden, or None"),
    "linux_boot": (int | None, "its place in the order at boot, or None"),
    "linux_teardown": (int | None, "its place in the order of revocation, or None"),
}
_EVENT: Mapping[str, tuple[Any, str]] = {
    "name": (str, 'its name: name = "live-update"'),
    "title": _TITLE,
    "min_vcpus": (int, "the least number of vCPUs to which it can happen"),
}
_WORDS = {"scope": ("vcpu", "vm"), "served_by": ("kernel", "user"), "update_when": get_args(Update)}


def check_protocol(kind: type[Protocol]) -> None:
    """Raise WorkbenchError with the first thing that is wrong with what a protocol class declares and with its text."""
    check_class(kind)
    _check_texts(kind)


def check_feature(feature: Feature) -> None:
    """Raise WorkbenchError with the first thing that is missing in ``feature`` or has the wrong type."""
    _check_types(feature, _FEATURE)
    for attribute, allowed in _WORDS.items():
        if getattr(feature, attribute) not in allowed:
            raise WorkbenchError(f"{attribute} is {getattr(feature, attribute)!r}; allowed: {', '.join(allowed)}")
    if feature.size < 0 or (feature.size == 0 and not feature.is_value):
        raise WorkbenchError(f"size is {feature.size}; allowed: 1 or more bytes, or 0 for a feature that is_value")
    if feature.align < 1 or feature.align & (feature.align - 1):
        raise WorkbenchError(f"align is {feature.align}; allowed: powers of two")
    _check_counted(feature.counted)
    registers: tuple[Any, ...] = feature.registers
    if wrong := [one for one in registers if not isinstance(one, Register)]:
        raise WorkbenchError(f"registers holds {wrong[0]!r}; allowed: Register(...)")
    _check_methods(feature, Feature, ("prepare", "update", "read"))
    check_text(type(feature))


def _check_counted(counted: Counted | None) -> None:
    if counted is None:
        return
    if counted.bound not in get_args(Bound):
        raise WorkbenchError(f"counted says {counted.bound!r}; allowed: {', '.join(get_args(Bound))}")
    texts: dict[str, Any] = {"why": counted.why, "source": counted.source}
    for name, text in texts.items():
        if not isinstance(text, str) or not text.strip() or not text.isprintable():
            raise WorkbenchError(f"{name} of counted is {text!r}; allowed: one line of text")


def check_event(event: Event) -> None:
    """Raise WorkbenchError with the first thing that is missing in ``event`` or has the wrong type."""
    _check_types(event, _EVENT)
    if event.min_vcpus < 1:
        raise WorkbenchError(f"min_vcpus is {event.min_vcpus}; allowed: 1 or more")
    _check_methods(event, Event, ("applies", "adapt", "setup", "happen"))
    if type(event).happen is Event.happen:
        raise WorkbenchError("method happen is missing: what happens, a generator of steps")
    check_text(type(event))


def _check_texts(thing: Any) -> None:
    """Raise WorkbenchError if a name or a title cannot stand where names and titles are printed."""
    mitigations, readings = (getattr(thing, name, {}) for name in ("mitigations_known", "readings_known"))
    named = [("name", thing.name), *(("mitigation", name) for name in mitigations)]
    for kind, text in named + [("reading", name) for name in readings]:
        if not _NAME.fullmatch(text):
            allowed = "letters, digits and _ . - only, 64 at most"
            raise WorkbenchError(f"{kind} is {text[:80]!r}; allowed: {allowed}")
    for text in (thing.title, *mitigations.values(), *readings.values()):
        if not text.isprintable():
            raise WorkbenchError(f"the text {text[:80]!r} is not one line that can be printed")


def _check_types(thing: Any, table: Mapping[str, tuple[Any, str]]) -> None:
    for attribute, (kind, meaning) in table.items():
        if not hasattr(thing, attribute):
            raise WorkbenchError(f"{attribute} is missing: {meaning}")
        value = getattr(thing, attribute)
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is int):
            raise WorkbenchError(f"{attribute} is {value!r}, which is no value for {meaning}")
    _check_texts(thing)


def _check_methods(thing: Any, contract: type, methods: tuple[str, ...]) -> None:
    """Raise WorkbenchError if something that is no method stands under the name of one."""
    for name in methods:
        if not callable(getattr(thing, name)):
            raise WorkbenchError(f"{name} is {getattr(thing, name)!r}; {contract.__name__}.{name} is a method")
