"""Sentences that several rules use."""


def mutable_local(name: str, shown: str) -> str:
    """Say that a local may not hold a mutable value at a step, and what to write."""
    return (
        f"the local {name} = {shown} is kept while a step is taken; locals of programs must be immutable: start with "
        f"{name} = () and write {name} += (item,), or make it a tuple or frozenset"
    )
