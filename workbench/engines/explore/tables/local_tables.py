"""Local tables: the effects of each group of actions, indexed by the packed values that it reads.

Rule kept here: a table is filled from the decision trees of the author's functions, only for combinations
that occur. A node gathers some fields of a state into a key; the entry is a row (the effects), the next node
(more must be read), or still unknown.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from workbench.engines.explore.space import Action, Space
from workbench.engines.explore.tables.bit_layout import Layout, Segment
from workbench.engines.explore.tables.grouping import Group, reads_of
from workbench.errors import WorkbenchError

UNKNOWN = -(1 << 31)  # less than any other entry
PENDING = UNKNOWN + 1  # unknown, and already listed to be filled
MAY_END = -1  # in place of a mark, in the rows of the ending predicate
LEAF_BITS = 12  # a node with at most this many key bits leads to rows
BRANCH_BITS = 4  # a node that leads to other nodes reads at least this many key bits, if available


class UnknownVariable(Exception):  # noqa: N818 - not an error: it names a variable to read as well
    """A decision tree asks for a variable that the key does not contain."""

    def __init__(self, var: int) -> None:
        self.var = var


class Outgrown(Exception):  # noqa: N818 - not an error: the engine makes a new layout and continues
    """A new variable or value has no place in the layout."""


class _Partial(dict[int, int]):
    """A state of which only some variables are known."""

    def __missing__(self, var: int) -> int:
        raise UnknownVariable(var)


class Growing:
    """A numpy array that grows at its end."""

    def __init__(self, dtype: type) -> None:
        self._data: np.ndarray = np.zeros(1024, dtype)
        self.length = 0

    def extend(self, values: list[int] | np.ndarray) -> int:
        """Append values; returns the index of the first."""
        first, self.length = self.length, self.length + len(values)
        if self.length > len(self._data):
            grown = np.zeros(max(self.length, 2 * len(self._data)), self._data.dtype)
            grown[:first] = self._data[:first]
            self._data = grown
        self._data[first : self.length] = values
        return first

    @property
    def data(self) -> np.ndarray:
        """The values so far; a view that is outdated by the next extend."""
        return self._data[: self.length]


@dataclass
class TableNode:
    """One lookup. `base` is the first of its entries in the table; `known` the values that lead here."""

    group: int
    number: int
    known: dict[int, int]
    variables: list[int]
    leaf: bool
    base: int = 0
    segments: list[Segment] = field(default_factory=list)
    places: list[tuple[int, int, int]] = field(default_factory=list)
    children: list[TableNode] = field(default_factory=list)

    @property
    def code(self) -> int:
        """The table entry that refers to this node."""
        return -1 - self.number


class Tables:
    """The tables of all groups in one layout. Roots: one node per group, `ending`, one per part found."""

    def __init__(self, space: Space, layout: Layout, groups: list[Group]) -> None:
        self.space = space
        self.layout = layout
        self.groups = [*groups, Group([], [(0, space.ending)])]
        self.nodes: list[TableNode] = []
        self.table = Growing(np.int32)
        self.first, self.count = Growing(np.int32), Growing(np.int32)  # per row: its successors
        self.enabled, self.met = Growing(np.int32), Growing(np.int32)  # per row; met: an index of observations
        self.observations: list[tuple[int, ...]] = [()]  # the marks that rows have; none comes first
        self._observed: dict[tuple[int, ...], int] = {(): 0}
        self.keep = [Growing(np.uint64) for _ in range(layout.words)]  # per successor and word
        self.put = [Growing(np.uint64) for _ in range(layout.words)]
        self.parts_first, self.parts_count = Growing(np.int32), Growing(np.int32)  # per successor
        self.parts = Growing(np.int32)  # root nodes of parts
        # The same for compiled lookups. Node: table base, first segment, number of segments, bits of the first
        # word, then bits and place in the key for each further word. Segment: shift, mask, place, word.
        self.node_words, self.segment_words = Growing(np.int64), Growing(np.uint64)
        self.node_size = 2 + 2 * layout.words
        self.masks = Growing(np.uint64)  # per successor: what to keep in each word, then what to put there
        self._rows: dict[tuple, int] = {}
        self._part_roots: dict[Action, int] = {}
        self._part_groups: set[int] = set()
        self.roots = [self._new_node(number, {}) for number in range(len(self.groups))]
        self.ending = self.roots.pop()

    def _new_node(self, group: int, known: dict[int, int]) -> TableNode:
        node = TableNode(group, len(self.nodes), known, [], True)
        self.nodes.append(node)
        self._shape(node, [])
        return node

    def _shape(self, node: TableNode, more: list[int]) -> None:
        """Decide what a node reads: all variables that its group reads from here, or the first few if they are many."""
        reads = dict.fromkeys(more)
        for member in self.groups[node.group].members():
            reads.update(dict.fromkeys(var for var in reads_of(member.root, node.known)))
        variables = [var for var in reads if var not in node.known]
        if any(var >= len(self.layout.width) for var in variables):
            raise Outgrown
        node.leaf = sum(self.layout.width[var] for var in variables) <= LEAF_BITS
        if not node.leaf:
            variables = self._first_of(node, variables)
        node.variables = variables
        node.children = []
        node.segments, node.places = self.layout.segments(variables)
        bits = sum(self.layout.width[var] for var in variables)
        node.base = self.table.extend(np.full(1 << bits, UNKNOWN, np.int32))
        self._describe(node)

    def _describe(self, node: TableNode) -> None:
        """Keep the array form of a node up to date."""
        first = self.segment_words.length // 4
        values = [node.base, first, len(node.segments)]
        for segment in node.segments:
            self.segment_words.extend([segment.shift, segment.mask, segment.out, segment.word])
        out = 0
        for word in range(self.layout.words):
            together = sum(part.mask << part.shift for part in node.segments if part.word == word)
            values += [together, out] if word else [together]
            out += together.bit_count()
        size = self.node_size
        if size * node.number == self.node_words.length:
            self.node_words.extend(values)
        else:
            self.node_words.data[size * node.number : size * (node.number + 1)] = values

    def _first_of(self, node: TableNode, variables: list[int]) -> list[int]:
        """The variables that most members read next, until there are enough bits."""
        asked: dict[int, int] = {}
        for member in self.groups[node.group].members():
            for var in reads_of(member.root, node.known)[:1]:
                asked[var] = asked.get(var, 0) + 1
        ordered = sorted(variables, key=lambda var: (-asked.get(var, 0), variables.index(var)))
        chosen: list[int] = []
        bits = 0
        for var in ordered:
            if bits >= BRANCH_BITS:
                break
            if not chosen or bits + self.layout.width[var] <= LEAF_BITS:
                chosen.append(var)
                bits += self.layout.width[var]
        return chosen

    def fill(self, node: TableNode, key: int) -> bool:
        """Fill one entry. Returns False if the node had to be widened; its keys must then be gathered again."""
        known = _Partial(node.known)
        for var, shift, mask in node.places:
            known[var] = key >> shift & mask
        for var in node.variables:
            known.setdefault(var, 0)  # fields without bits
        try:
            entry = self._row(node, known) if node.leaf else self._child(node, dict(known)).code
        except UnknownVariable as unknown:
            self._shape(node, [*node.variables, unknown.var])
            return False
        self.table.data[node.base + key] = entry
        return True

    def _child(self, node: TableNode, known: dict[int, int]) -> TableNode:
        node.children.append(self._new_node(node.group, known))
        return node.children[-1]

    def part_root(self, part: Action) -> int:
        """The number of the root node of a part."""
        if part not in self._part_roots:
            self._part_groups.add(len(self.groups))
            self.groups.append(Group([part]))
            self._part_roots[part] = self._new_node(len(self.groups) - 1, {}).number
        return self._part_roots[part]

    def parts_of(self, successor: int) -> list[int]:
        """The root nodes of the parts of a successor."""
        start = int(self.parts_first.data[successor])
        return self.parts.data[start : start + int(self.parts_count.data[successor])].tolist()

    def clash(self, root: int) -> WorkbenchError:
        """The error for a part that writes a variable that its step has written."""
        part = self.groups[self.nodes[root].group].actions[0]
        return WorkbenchError(f"{part.actor}: a variable is written twice in one step")

    def _row(self, node: TableNode, known: _Partial) -> int:
        """The row with the effects of a group for known values; equal rows are stored once."""
        group = self.groups[node.group]
        successors, enabled = [], 0
        marks: list[int] = []
        for action in group.actions:
            effect = action.effect(known)
            if effect.parts and not group.composite:
                raise Outgrown  # a step has parts for the first time: group again
            if effect.enabled:
                enabled += 1
                writes = self._checked(effect.writes)
                if not effect.parts and node.group not in self._part_groups:
                    writes = tuple((var, number) for var, number in writes if known.get(var) != number)
                if writes or effect.parts or node.group in self._part_groups:
                    successors.append((writes, tuple(self.part_root(part) for part in effect.parts)))
        for _, observer in group.predicates:
            effect = observer.effect(known)
            marks += [MAY_END] if node.group == self.ending.group and effect.holds else effect.marks
        if len(self.space.names) > len(self.layout.width):
            raise Outgrown
        row = (tuple(successors), enabled, self._observation(tuple(marks)))
        if row not in self._rows:
            self._rows[row] = self._store(*row)
        return self._rows[row]

    def _checked(self, writes: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        for var, number in writes:
            if not self.layout.fits(var, number):
                raise Outgrown
        return writes

    def _observation(self, marks: tuple[int, ...]) -> int:
        if marks not in self._observed:
            self._observed[marks] = len(self.observations)
            self.observations.append(marks)
        return self._observed[marks]

    def _store(self, successors: tuple, enabled: int, met: int) -> int:
        masks = [self.layout.masks(writes) for writes, _ in successors]
        for word in range(self.layout.words):
            self.keep[word].extend([keep[word] for keep, _ in masks])
            self.put[word].extend([put[word] for _, put in masks])
        for keep, put in masks:
            self.masks.extend([*keep, *put])
        self.parts_first.extend([self.parts.extend(list(parts)) for _, parts in successors])
        self.parts_count.extend([len(parts) for _, parts in successors])
        self.first.extend([self.parts_count.length - len(successors)])
        self.count.extend([len(successors)])
        self.met.extend([met])
        return self.enabled.extend([enabled])
