"""Exports a completely explored model as Promela text for the SPIN checker.

Rule kept here: the text is derived from the decision trees that the explorer itself uses, after a complete
search; it is not a second description of the model. One enabled action is one `d_step`, so SPIN stores
exactly the states that the explorer counts.

Run it with `spin -a -o2 FILE; gcc -O2 -DSAFETY -DNOREDUCE pan.c -o pan; ./pan -E -c0 -n`. Without `-o2` SPIN
hides variables that are only written and reports fewer states. `-DPROP=n` (to spin) switches on property n:
each state that violates an `always` property, or reaches a `sometimes` property, is then counted as an error.
`-DCOUNT` counts these states for all properties in one run, and prints the counts at its end: a depth-first
search without reduction tries every option once in every state it stores, and the counting option leads back to
the same state.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from workbench.engines.explore.model import Model
from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.space import Action, Branch, Effect, Node, Space
from workbench.errors import WorkbenchError

INDENT = "   "
COUNTED = "property"  # prefix of the lines that a verifier built with -DCOUNT prints at its end


@dataclass(frozen=True)
class _Leaf:
    enabled: bool
    holds: bool
    writes: tuple[tuple[int, int], ...]
    parts: tuple[Action, ...]


@dataclass(frozen=True)
class _Fork:
    """A branch on one variable: groups of value numbers, and the subtree for each group."""

    var: int
    cases: tuple[tuple[frozenset[int], Any], ...]


def promela(space: Space, complete: str | None) -> str:
    """The Promela text of a space; `complete` is why it was not searched completely, or None if it was.

    Raises WorkbenchError if it was not, and if a step reads too many variables.
    """
    if complete is not None:
        raise WorkbenchError(f"cannot export a model that was not searched completely ({complete})")
    try:
        return _Writer(space).text()
    except RecursionError as error:
        raise WorkbenchError(
            "a step of this model reads so many variables one after the other that its Promela text would be nested "
            "deeper than SPIN reads; export it with fewer vCPUs, features or registers"
        ) from error


class _Writer:
    def __init__(self, space: Space) -> None:
        self.space = space
        self.names = [_identifier(number, name) for number, name in enumerate(space.names)]

    def text(self) -> str:
        """The whole model."""
        model = self.space.model
        lines = [_header(model), *self._declarations(), *_counters(len(self.space.observers))]
        lines += ["", "active proctype model() {", "do"]
        for action in self.space.actions:
            lines += self._option(action)
        lines += [*self._properties(), ":: false -> skip", "od", "}", ""]  # a loop needs an option
        return "\n".join(lines)

    def _declarations(self) -> list[str]:
        lines = []
        for number, (name, domain) in enumerate(zip(self.space.names, self.space.domains, strict=True)):
            values = "; ".join(f"{n} {self._shown(name, value)}" for n, value in enumerate(domain.values[:40]))
            kind = _type_for(len(domain.values))
            lines.append(f"{kind} {self.names[number]}; /* {_comment(f'{name!r}: {values}')} */")
        # A temporary holds a variable's value from before the step while parts execute; it is not part of the state.
        lines += [
            f"hidden {_type_for(max(3, len(self.space.domains[var].values)))} {self._temporary(var)};"
            for var in sorted(self._all_saved())
        ]
        return lines

    def _shown(self, name: Hashable, value: Any) -> str:
        if isinstance(name, SlotVar) and value is not None:
            return f"{value[0]}/{value[1]} {self.space.step_at(value)!r}"
        return repr(value)

    def _option(self, action: Action) -> list[str]:
        tree = self._simplified(action.root)
        guard = self._condition(tree, lambda leaf: leaf.enabled)
        if guard == "false":
            return []
        body = self._body(tree, 2, frozenset())
        return [f":: d_step {{ /* {_comment(str(action.actor))} */ {guard} ->", *body, INDENT + "}"]

    def _properties(self) -> list[str]:
        lines = []
        properties = self.space.model.properties
        for number, (prop, predicate) in enumerate(zip(properties, self.space.predicates, strict=True), 1):
            text = f"{prop.code} {prop.kind}: {prop.name}"
            lines += self._counted(number, text, predicate, prop.kind == "sometimes")
        for number, premise in enumerate(self.space.premises, len(properties) + 1):
            lines += self._counted(number, str(premise.actor), premise, True)
        return lines

    def _counted(self, number: int, text: str, predicate: Action, wanted: bool) -> list[str]:
        """The option that counts the states in which a predicate has the wanted value."""
        condition = self._condition(self._simplified(predicate.root), lambda leaf: leaf.holds is wanted)
        return [
            f"#if PROP=={number} || defined(COUNT) /* {_comment(text)} */",
            f":: d_step {{ {condition} -> MET({number}) }}",
            "#endif",
        ]

    def _simplified(self, node: Node, seen: dict[int, frozenset[int]] | None = None) -> _Leaf | _Fork:
        """A decision tree with projections resolved, equal branches joined and redundant branches left out."""
        seen = seen or {}
        if isinstance(node, Effect):
            return _Leaf(node.enabled, node.holds, node.writes, node.parts)
        if node is None:
            return _Leaf(False, False, (), ())
        possible = seen.get(node.var, frozenset(range(len(self.space.domains[node.var].values))))
        cases: dict[Any, frozenset[int]] = {}
        for numbers, after in _cases(node, possible):
            following = self._simplified(after, {**seen, node.var: numbers})
            cases[following] = cases.get(following, frozenset()) | numbers
        if len(cases) == 1:
            return next(iter(cases))
        return _Fork(node.var, tuple((numbers, following) for following, numbers in cases.items()))

    def _condition(self, tree: _Leaf | _Fork, wanted: Any, saved: frozenset[int] = frozenset()) -> str:
        """The condition under which a tree leads to a wanted leaf."""
        if isinstance(tree, _Leaf):
            return "true" if wanted(tree) else "false"
        by_rest: dict[str, frozenset[int]] = {}
        for numbers, following in tree.cases:
            rest = self._condition(following, wanted, saved)
            by_rest[rest] = by_rest.get(rest, frozenset()) | numbers
        by_rest.pop("false", None)
        if not by_rest:
            return "false"
        covered = frozenset().union(*(numbers for numbers, _ in tree.cases))
        terms = []
        for rest, numbers in by_rest.items():
            test = self._test(tree.var, numbers, covered, saved)
            terms.append(" && ".join(part for part in (test, rest) if part != "true") or "true")
        return terms[0] if len(terms) == 1 else "(" + " || ".join(f"({term})" for term in terms) + ")"

    def _test(self, var: int, numbers: frozenset[int], among: frozenset[int], saved: frozenset[int]) -> str:
        """The test that a variable has one of some numbers, given that it has one of `among`."""
        name = self._temporary(var) if var in saved else self.names[var]
        if numbers == among:
            return "true"
        others = among - numbers
        if len(others) < len(numbers):
            return "(" + " && ".join(f"{name} != {number}" for number in sorted(others)) + ")"
        return "(" + " || ".join(f"{name} == {number}" for number in sorted(numbers)) + ")"

    def _body(self, tree: _Leaf | _Fork, depth: int, saved: frozenset[int]) -> list[str]:
        """The statements of all enabled leaves: first the tests, then the writes."""
        if isinstance(tree, _Leaf):
            return self._writes(tree, depth)
        cases = [(numbers, after) for numbers, after in tree.cases if _can_happen(after)]
        if len(cases) == 1:
            return self._body(cases[0][1], depth, saved)
        common = set.intersection(*(_always_written(after) for _, after in cases))
        pad = INDENT * depth
        lines = [pad + "if"]
        among = frozenset().union(*(numbers for numbers, _ in cases))
        for place, (numbers, after) in enumerate(cases):
            test = "else" if place == len(cases) - 1 else self._test(tree.var, numbers, among, saved)
            lines += [f"{pad}:: {test} ->", *self._body(_without(after, common), depth + 1, saved)]
        return [*lines, pad + "fi;", *self._assignments(sorted(common), depth)]

    def _writes(self, leaf: _Leaf, depth: int) -> list[str]:
        pad = INDENT * depth
        saved = self._saved(leaf)
        lines = [f"{pad}{self._temporary(var)} = {self.names[var]};" for var in sorted(saved)]
        lines += self._assignments(leaf.writes, depth)
        for part in leaf.parts:
            lines += self._body(self._simplified(part.root), depth, saved)
        lines += [f"{pad}{self._temporary(var)} = 0;" for var in sorted(saved)]
        return lines or [pad + "skip;"]

    def _assignments(self, writes: Iterable[tuple[int, int]], depth: int) -> list[str]:
        return [f"{INDENT * depth}{self.names[var]} = {number};" for var, number in writes]

    def _saved(self, leaf: _Leaf) -> frozenset[int]:
        """Variables that a part of this step reads and that the step or another part writes."""
        written = {var for var, _ in leaf.writes}.union(*(_written(part.root) for part in leaf.parts))
        read = set().union(*(_read(part.root) for part in leaf.parts)) if leaf.parts else set()
        return frozenset(read & written)

    def _all_saved(self) -> set[int]:
        return {
            var
            for action in self.space.actions
            for leaf in _leaves(self._simplified(action.root))
            for var in self._saved(leaf)
        }

    def _temporary(self, var: int) -> str:
        return f"t_{self.names[var]}"


def _counters(properties: int) -> list[str]:
    """The definition of MET: with -DCOUNT it counts the state, otherwise it reports an error."""
    show = f'for (n = 1; n <= {properties}; n++) printf("{COUNTED} %d: %lu states\\n", n, met[n]);'
    return [
        "#ifdef COUNT",
        f"c_code {{ unsigned long met[{properties + 1}]; int printf(const char *, ...); }}",
        f"c_code {{ static void __attribute__((destructor)) show_met(void) {{ int n; {show} }} }}",
        "#define MET(n) c_code { met[n]++; }",
        "#else",
        "#define MET(n) assert(false)",
        "#endif",
    ]


def _cases(node: Branch, possible: frozenset[int]) -> list[tuple[frozenset[int], Node]]:
    if node.projection is None:
        return [(frozenset({number}), after) for number, after in node.after.items() if number in possible]
    answers = node.projection.answers
    cases: list[tuple[frozenset[int], Node]] = []
    for answer, after in node.after.items():
        numbers = frozenset(number for number in possible if number in answers and answers[number] == answer)
        if numbers:
            cases.append((numbers, after))
    return cases


def _leaves(tree: _Leaf | _Fork) -> list[_Leaf]:
    if isinstance(tree, _Leaf):
        return [tree]
    return [leaf for _, following in tree.cases for leaf in _leaves(following)]


def _can_happen(tree: _Leaf | _Fork) -> bool:
    return any(leaf.enabled for leaf in _leaves(tree))


def _always_written(tree: _Leaf | _Fork) -> set[tuple[int, int]]:
    """Writes common to all enabled leaves; none where parts need the values from before the step."""
    enabled = [leaf for leaf in _leaves(tree) if leaf.enabled]
    if any(leaf.parts for leaf in enabled):
        return set()
    return set.intersection(*(set(leaf.writes) for leaf in enabled))


def _without(tree: _Leaf | _Fork, writes: set[tuple[int, int]]) -> _Leaf | _Fork:
    if not writes:
        return tree
    if isinstance(tree, _Leaf):
        return _Leaf(tree.enabled, tree.holds, tuple(w for w in tree.writes if w not in writes), tree.parts)
    return _Fork(tree.var, tuple((numbers, _without(after, writes)) for numbers, after in tree.cases))


def _written(node: Node) -> set[int]:
    if isinstance(node, Branch):
        return set().union(*(_written(after) for after in node.after.values()))
    return {var for var, _ in node.writes} if isinstance(node, Effect) else set()


def _read(node: Node) -> set[int]:
    if isinstance(node, Branch):
        return {node.var}.union(*(_read(after) for after in node.after.values()))
    return set()


def _type_for(count: int) -> str:
    """The smallest Promela type; `short` and `int` are signed."""
    return next(
        kind for kind, limit in (("bit", 2), ("byte", 256), ("short", 1 << 15), ("int", 1 << 31)) if count <= limit
    )


def _identifier(number: int, name: Hashable) -> str:
    words = re.findall(r"[A-Za-z0-9]+", f"slot {name.name}" if isinstance(name, SlotVar) else str(name))
    return "_".join([f"v{number}", *words])[:40]


def _comment(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("*/", "* /").replace("/*", "/ *")


def _header(model: Model) -> str:
    lines = ["/* Derived from a complete search; every d_step is one action of the model."]
    for number, prop in enumerate(model.properties, 1):
        lines.append(f" * -DPROP={number}: {_comment(f'{prop.code} ({prop.kind}) {prop.name}')}")
    return "\n".join([*lines, " */"])
