"""Which members may stand together in a struct or union.

Source: C11 6.7.2.1 (structure and union specifiers), paragraphs 3, 13 and 18.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from workbench.clayout.text import Line, refuse
from workbench.clayout.tree import CArray, CMember, CStruct


def check_members(members: Sequence[CMember], where: str) -> None:
    """Raise LayoutError for a name that stands twice, and for an open array that C does not allow where it stands."""
    seen: set[str] = set()
    for name, line in _names(members):
        if name in seen:
            refuse(line, f"member {name} stands twice in {where}")
        seen.add(name)
    if where.startswith("union") and any(_flexible(m) for m in members):
        refuse(members[0].line, f"array without a size in {where}")
    for member in members[:-1]:
        if _flexible(member):
            refuse(member.line, f"{member.name}[] must be the last member of {where}")
    if len(seen) == 1 and _flexible(members[-1]):
        refuse(members[-1].line, f"{members[-1].name}[] is the only member of {where}")


def _flexible(member: CMember) -> bool:
    return isinstance(member.type, CArray) and member.type.count is None


def _names(members: Iterable[CMember]) -> Iterator[tuple[str, Line]]:
    """Names visible in a struct, including those in its anonymous members, with their lines."""
    for member in members:
        if member.name is not None:
            yield member.name, member.line
        elif isinstance(member.type, CStruct):
            yield from _names(member.type.members)
