"""A question's model for other programs: Promela with the expected results, or the state graph as DOT or GraphML.

Each text holds the whole model, derived from the same protocol file that the engines run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import workbench
from workbench.checking.failures import Failure
from workbench.core.own_files import described
from workbench.core.step_text import key_text, step_text, value_text
from workbench.engines.explore import GraphEdge, GraphNode, Result, Words, as_dot, as_graphml
from workbench.engines.explore.export.graph import MAX_STATES as MAX_NODES
from workbench.engines.explore.export.spin import PAN_OPTIONS
from workbench.engines.explore.vm import machine_graph, machine_promela
from workbench.measure.exploration.explore import MAX_STATES, Question, machine_of

GRAPHS: dict[str, Callable[[list[GraphNode], list[GraphEdge], Words], str]] = {"dot": as_dot, "graphml": as_graphml}


def promela_of(
    question: Question, failures: Sequence[Failure], max_states: int | None = MAX_STATES
) -> tuple[Result, str]:
    """Explore a question completely; return the result and the Promela text that SPIN must agree with.

    Raises WorkbenchError if there are more than ``max_states`` states.
    """
    result, text = machine_promela(machine_of(question, failures), max_states)
    return result, _heading(question, failures, result) + text


def graph_of(question: Question, failures: Sequence[Failure], form: str, max_states: int) -> str:
    """Return the state graph as ``form`` (of :data:`GRAPHS`); raise WorkbenchError beyond ``max_states``."""
    machine = machine_of(question, failures)
    nodes, edges = machine_graph(machine, max_states)
    words = Words(lambda step: step_text(step, machine.scenario.descriptor_in(step)), key_text, value_text)
    return GRAPHS[form](nodes, edges, words)


def _heading(question: Question, failures: Sequence[Failure], result: Result) -> str:
    """The heading of a Promela file: the model, how to run SPIN on it, and the expected results."""
    bits = max(10, (result.states - 1).bit_length())
    compiler = " ".join(["gcc -O2 -w", *PAN_OPTIONS, "pan.c -o pan"])
    lines = [
        f"protocol  {question.variant.label}",
        f"event     {described(question.event)[0]}: {question.event.title}",
        f"size      {question.size}",
        f"bounds    {question.bounds.updates} payload updates by the host for each vCPU,"
        f" {question.bounds.reads} payloads read by other vCPUs",
        f"made by   workbench {workbench.__version__}, command export promela",
        "",
        "Run SPIN 6.5 so that it visits all states, and the last lines say how many meet each property:",
        "  spin -a -o2 -DCOUNT FILE",
        f"  {compiler}",
        f"  ./pan -E -c0 -n -m1000000 -w{bits}",
        "With -DPROP=n instead of -DCOUNT each of them is an error; without either SPIN visits the states only.",
        "",
        f"Expected: {result.states} states, {result.transitions} transitions"
        " (SPIN counts the initial state and, with -DCOUNT, each count as one more).",
        "Expected of the properties (always: states that violate it; sometimes: states that have it), and of their",
        "premises, which follow in the same order (states in which the property is about something):",
        *_expected(failures, result),
    ]
    return "\n".join(["/*", *(f" * {line}".rstrip() for line in lines), " */", ""])


def _expected(failures: Sequence[Failure], result: Result) -> list[str]:
    width = max(map(len, result.verdicts.values()), default=0)
    lines = [
        f"  property {n:2}  {f.code}  {result.verdicts[f.code]:{width}} {result.hits[f.code]:9} states"
        f"  {f.kind} {f.name}"
        for n, f in enumerate(failures, 1)
    ]
    return lines + [
        f"  premise  {n:2}  {f.code}  {result.premises[f.code]:{width + 10}} states"
        for n, f in enumerate(failures, len(failures) + 1)
    ]


__all__ = ["GRAPHS", "MAX_NODES", "MAX_STATES", "graph_of", "machine_of", "promela_of"]
