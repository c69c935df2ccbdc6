"""Sentences and pieces of sentences that several rules use."""

from typing import Any

#: The longest value that a message shows whole.
_MOST = 160


def value_said(value: Any) -> str:
    """Return a value in words for a message: short, and without an address in memory, which differs from run to run."""
    if isinstance(value, type):
        return f"the class {value.__name__}"
    text = repr(value)
    if " at 0x" not in text:
        return text if len(text) <= _MOST else f"{text[:_MOST]} ..."
    name, kind = getattr(value, "__name__", None), type(value).__name__
    return f"the {kind} {name}" if isinstance(name, str) else f"an object of the type {kind}"


def mutable_local(name: str, shown: str) -> str:
    """Say that a local may not hold a mutable value at a step, and what to write."""
    return (
        f"the local {name} = {shown} is kept while a step is taken; locals of programs must be immutable: start with "
        f"{name} = () and write {name} += (item,), or make it a tuple or frozenset"
    )
