"""Exports the states and steps of a small model as a graph, in DOT or GraphML.

Rule kept here: either the whole reachable graph is exported or none; a partial graph could be mistaken for a proof.
A node shows the pending step of every slot that is not idle and what differs from the initial state; `Words`
says how steps, names and values are written.
Source: https://graphviz.org/doc/info/lang.html, http://graphml.graphdrawing.org/specification.html
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from typing import Any

from workbench.engines.explore.model import Model
from workbench.engines.explore.numbering import SlotVar
from workbench.engines.explore.positions.positions import Name
from workbench.engines.explore.reference import PlainSearch, applied
from workbench.engines.explore.search import Limits, State
from workbench.engines.explore.space import Space
from workbench.errors import WorkbenchError

#: XML 1.0 cannot represent these characters, not even escaped.
NOT_IN_XML = {code: "?" for code in range(32) if chr(code) not in "\t\n\r"}
MAX_STATES = 2000  # larger graphs cannot be read as a picture


@dataclass(frozen=True)
class Words:
    """How a step, the name of a variable, and a value are written."""

    step: Callable[[Any], str] = str
    name: Callable[[Any], str] = str
    value: Callable[[Any], str] = str


@dataclass(frozen=True)
class GraphNode:
    """A state: its variables (a slot shows its pending step), and the properties that it violates."""

    number: int
    values: dict[Hashable, Any]
    violates: tuple[str, ...]


@dataclass(frozen=True)
class GraphEdge:
    """A step from one state to another; `actor` is the rule or slot, `step` what it does."""

    source: int
    target: int
    actor: Name
    step: Any


def graph(model: Model, max_states: int = MAX_STATES) -> tuple[list[GraphNode], list[GraphEdge]]:
    """All reachable states and steps, the initial state first. Raises WorkbenchError beyond `max_states`."""
    space = Space(model)
    search = PlainSearch(space, Limits(max_states))
    outcome = search.run()
    if outcome.limit == "interrupted":
        raise KeyboardInterrupt
    if outcome.limit is not None:
        raise WorkbenchError(f"the graph has more than {max_states} states; raise the limit or shrink the model")
    numbers = {state: number for number, state in enumerate(search.parents)}
    nodes = [_node(space, state, number) for state, number in numbers.items()]
    edges = [edge for state in numbers for edge in _edges(space, state, numbers)]
    return nodes, edges


def _node(space: Space, state: State, number: int) -> GraphNode:
    values = {
        name: _shown(space, name, space.domains[index].values[state[index]]) for index, name in enumerate(space.names)
    }
    violates = tuple(
        prop.code
        for prop, predicate in zip(space.model.properties, space.predicates, strict=True)
        if prop.kind == "always" and not predicate.effect(state).holds
    )
    return GraphNode(number, values, violates)


def _shown(space: Space, name: Hashable, value: Any) -> Any:
    return space.step_at(value) if isinstance(name, SlotVar) else value


def _edges(space: Space, state: State, numbers: dict[State, int]) -> list[GraphEdge]:
    edges = []
    for action in space.actions:
        effect = action.effect(state)
        if effect.enabled:
            step = space.step_of(action, state)
            target = numbers[applied(space, effect, state)]
            edges.append(GraphEdge(numbers[state], target, action.actor, step))
    return edges


def shown(node: GraphNode, initial: GraphNode, words: Words = Words()) -> Iterator[str]:
    """Yield the lines of a node: its number, pending steps, what differs from the initial state, what it violates."""
    yield f"state {node.number}"
    for name, value in node.values.items():
        if isinstance(name, SlotVar):
            if value is not None:
                yield f"{name.name}: {words.step(value)}"
        elif value != initial.values[name]:
            yield f"{words.name(name)} = {words.value(value)}"
    if node.violates:
        yield f"violates {' '.join(node.violates)}"


def _said(edge: GraphEdge, words: Words) -> str:
    step = words.step(edge.step)
    return step if step == edge.actor else f"{edge.actor}: {step}"


def as_dot(nodes: list[GraphNode], edges: list[GraphEdge], words: Words = Words()) -> str:
    """The graph in the DOT language; violating states are drawn double."""
    lines = ["digraph states {", "  node [shape=box];"]
    for node in nodes:
        label = "\\l".join(_text(line) for line in (*shown(node, nodes[0], words), ""))  # lines to the left
        shape = ", peripheries=2" if node.violates else ""
        lines.append(f'  n{node.number} [label="{label}"{shape}];')
    for edge in edges:
        lines.append(f'  n{edge.source} -> n{edge.target} [label="{_text(_said(edge, words))}"];')
    return "\n".join([*lines, "}", ""])


def _text(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def as_graphml(nodes: list[GraphNode], edges: list[GraphEdge], words: Words = Words()) -> str:
    """The graph in GraphML, with text attributes: a node's lines and what it violates, an edge's step."""
    from xml.sax.saxutils import quoteattr  # it imports http and ssl, which takes longer than a small search

    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        '<graphml xmlns="http://graphml.graphdrawing.org/xmlns">',
        '<key id="state" for="node" attr.name="state" attr.type="string"/>',
        '<key id="violates" for="node" attr.name="violates" attr.type="string"/>',
        '<key id="step" for="edge" attr.name="step" attr.type="string"/>',
        '<graph id="states" edgedefault="directed">',
    ]
    for node in nodes:
        lines.append(
            f'<node id={quoteattr(f"n{node.number}")}>'
            f"{_data('state', '; '.join(shown(node, nodes[0], words)))}"
            f"{_data('violates', ' '.join(node.violates))}</node>"
        )
    for edge in edges:
        lines.append(
            f'<edge source="n{edge.source}" target="n{edge.target}">{_data("step", _said(edge, words))}</edge>'
        )
    return "\n".join([*lines, "</graph>", "</graphml>", ""])


def _data(key: str, text: str) -> str:
    from xml.sax.saxutils import escape

    return f'<data key="{key}">{escape(text.translate(NOT_IN_XML))}</data>'
