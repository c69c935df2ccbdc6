"""The state graph of small models."""

from xml.etree import ElementTree

import pytest

from workbench.engines.explore import as_dot, as_graphml, graph
from workbench.errors import WorkbenchError

from .toys import counter, diamond, two_phase_commit


def test_the_diamond_is_a_diamond():
    nodes, edges = graph(diamond())
    assert [node.values for node in nodes] == [
        {"a": False, "b": False},
        {"a": True, "b": False},
        {"a": False, "b": True},
        {"a": True, "b": True},
    ]
    assert [(edge.source, edge.target, edge.step) for edge in edges] == [
        (0, 1, "a"),
        (0, 2, "b"),
        (1, 3, "b"),
        (2, 3, "a"),
    ]


def test_nodes_name_what_they_violate_and_slots_their_step():
    nodes, edges = graph(counter(2, lock=False))
    assert [node.violates for node in nodes if node.violates] == [("N",)]
    assert [str(value) for value in nodes[0].values.values()] == ["('read', 'n')", "('read', 'n')", "0", "None"]
    assert edges[0].step == ("read", "n")


def test_larger_models_are_refused():
    with pytest.raises(WorkbenchError, match="more than 100 states"):
        graph(two_phase_commit(3), max_states=100)


def test_dot_and_graphml_have_all_nodes_and_edges():
    nodes, edges = graph(counter(2, lock=False))
    dot = as_dot(nodes, edges)
    assert dot.count("label=") == len(nodes) + len(edges)
    assert dot.count("peripheries=2") == 1
    root = ElementTree.fromstring(as_graphml(nodes, edges))
    space = "{http://graphml.graphdrawing.org/xmlns}"
    assert len(root.findall(f".//{space}node")) == len(nodes) == 12
    assert len(root.findall(f".//{space}edge")) == len(edges)
