"""Groups actions that read mostly the same variables, so that one table lookup serves them all.

Rule kept here: grouping changes speed only. A group's table is indexed by the variables its actions read: first by
the one that most of them read first (a program counter, a slot's position), then by the others.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from workbench.engines.explore.space import Action, Branch, Effect, Node, Space
from workbench.engines.explore.tables.bit_layout import bits_for

WORTH = 512  # table entries that may be spent to save one lookup per state


@dataclass
class Group:
    """Actions and predicates that share a table. `predicates` are (index, action) of its observers."""

    actions: list[Action] = field(default_factory=list)
    predicates: list[tuple[int, Action]] = field(default_factory=list)
    head: int | None = None
    cases: dict[int, int] = field(default_factory=dict)  # value number of head -> variables read, as bits
    other: int = 0  # variables read whatever the head is
    composite: bool = False  # one action whose steps have parts

    def members(self) -> list[Action]:
        """All actions and predicates."""
        return self.actions + [action for _, action in self.predicates]


def reads_of(node: Node, known: dict[int, int] | None = None) -> list[int]:
    """Variables read below a node of a decision tree, nearest first, given the values of some variables."""
    found: dict[int, None] = {}
    waiting: list[Node] = [node]
    for current in waiting:
        if not isinstance(current, Branch):
            continue
        if known is not None and current.var in known:
            value: object = known[current.var]
            if current.projection is not None:
                value = current.projection.of(known[current.var])
            waiting.append(current.after.get(value))
        else:
            found[current.var] = None
            waiting.extend(current.after.values())
    return list(found)


def has_parts(node: Node) -> bool:
    """Whether any effect below a node has parts."""
    waiting: list[Node] = [node]  # no recursion: a tree is as deep as a step reads variables, which may be a thousand
    for current in waiting:
        if isinstance(current, Branch):
            waiting.extend(current.after.values())
        elif isinstance(current, Effect) and current.parts:
            return True
    return False


def _as_bits(variables: Iterable[int]) -> int:
    return sum(1 << var for var in variables)


def group_actions(space: Space) -> list[Group]:
    """Put every action and predicate of a space into a group, by the variables they have read so far."""
    widths = _Widths(space)
    groups: list[Group] = []
    sizes: list[int] = []
    entries: list[tuple[Action, int | None]] = [(action, None) for action in space.actions]
    entries += [(action, index) for index, action in enumerate(space.observers)]
    for action, predicate in entries:
        single = _alone(action, predicate)
        best, growth = None, WORTH + _size(single, widths)
        for place, group in enumerate(groups):
            if not (single.composite or group.composite):
                larger = _size(_joined(group, single), widths) - sizes[place]
                if larger <= growth:
                    best, growth = place, larger
        if best is None:
            best = len(groups)
            groups.append(single)
            sizes.append(0)
        else:
            groups[best] = _joined(groups[best], single)
        sizes[best] = _size(groups[best], widths)
    return groups


def _alone(action: Action, predicate: int | None) -> Group:
    group = Group([action], []) if predicate is None else Group([], [(predicate, action)])
    group.composite = has_parts(action.root)
    root = action.root
    if isinstance(root, Branch) and root.projection is None:
        group.head = root.var
        group.cases = {value: _as_bits(reads_of(after)) for value, after in root.after.items()}
    elif not isinstance(root, Effect):
        group.other = _as_bits(reads_of(root))
    return group


def _joined(group: Group, single: Group) -> Group:
    joined = Group(
        group.actions + single.actions,
        group.predicates + single.predicates,
        group.head,
        dict(group.cases),
        group.other | single.other,
    )
    if group.head is None:
        joined.head, joined.cases = single.head, dict(single.cases)
    elif single.head == group.head:
        for value, variables in single.cases.items():
            joined.cases[value] = joined.cases.get(value, 0) | variables
    elif single.head is not None:
        joined.other |= 1 << single.head
        for variables in single.cases.values():
            joined.other |= variables
    return joined


def _size(group: Group, widths: _Widths) -> int:
    """An upper bound of the entries of a group's tables."""
    head = 0 if group.head is None else 1 << group.head
    cases = group.cases.values() if group.cases else (0,)
    return sum(1 << min(widths.of((variables | group.other) & ~head), 40) for variables in cases)


class _Widths:
    """The bits that sets of variables need, cached."""

    def __init__(self, space: Space) -> None:
        self.single = [bits_for(len(domain.values)) for domain in space.domains]
        self.known: dict[int, int] = {}

    def of(self, variables: int) -> int:
        """The bits of all variables in a set that is given as bits."""
        found = self.known.get(variables)
        if found is None:
            found, rest = 0, variables
            while rest:
                low = rest & -rest
                found += self.single[low.bit_length() - 1]
                rest ^= low
            self.known[variables] = found
        return found


def placing_order(space: Space, groups: list[Group]) -> list[int]:
    """An order of the variables in which those read together are mostly adjacent."""
    order: dict[int, None] = {}
    for group in groups:
        if group.head is not None:
            order[group.head] = None
        for member in group.members():
            order.update(dict.fromkeys(sorted(reads_of(member.root))))
    return list(order) + [var for var in range(len(space.domains)) if var not in order]
