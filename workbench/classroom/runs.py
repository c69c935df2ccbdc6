"""What exercises ask of the engines: a number, a fate, a search, each with the command line that repeats it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from workbench.checking.failures import choose as choose_failures
from workbench.classroom.answers import FILE
from workbench.classroom.exercise import Judged
from workbench.core.outcome import Fate
from workbench.core.own_files import is_named
from workbench.engines.explore import FAILS, HOLDS
from workbench.features import choose
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.comparison.runs import Measured, measured
from workbench.measure.exploration.explore import Exploration, Question, explore_question
from workbench.measure.exploration.recording import of_finding
from workbench.measure.variants import Variant, variant
from workbench.present.web.stepper import trace_text


def ran(protocol: str | Variant, event: str, features: Sequence[str], vcpus: int) -> Measured:
    """Simulate an event under a design and return what was measured."""
    one = variant(protocol) if isinstance(protocol, str) else protocol
    return measured(one, choose(features), vcpus, choose_event(event))


def compared(protocol: str | Variant, event: str, features: Sequence[str], vcpus: int, metric: str) -> str:
    """Return the command line that shows one number or fate of :func:`ran`."""
    chosen = f"--protocols {called(protocol)} --events {event} --features {','.join(features)}"
    return f"workbench compare {chosen} --vcpus {vcpus} --metrics {metric}"


def told(fates: Iterable[Fate]) -> str:
    """Return what became of areas, for a sentence: "lost, registered"."""
    return ", ".join(sorted({fate.value for fate in fates}))


class Searched(NamedTuple):
    """What a search of every interleaving found of one failure."""

    exploration: Exploration
    verdict: str
    trace: str  #: the shortest trace to the failure, as text; empty if there is none
    again: str  #: the command line

    @property
    def fails(self) -> bool:
        """Whether the failure was found."""
        return self.verdict == FAILS


def searched(
    protocol: str | Variant, event: str, features: Sequence[str], failure: str, *, vcpus: int = 1,
    max_states: int = 200_000,
) -> Searched:  # fmt: skip
    """Search every interleaving of an event for one failure; raise WorkbenchError if a program breaks a rule."""
    (asked,) = choose_failures([failure])
    question = Question.of(protocol, event, features, vcpus)
    found = explore_question(question, (asked,), max_states=max_states)
    recording = of_finding(found, asked)
    again = (
        f"workbench explore {called(protocol)} --events {event} --features {','.join(features)} --vcpus {vcpus} "
        f"--property {asked.name}"
    )
    return Searched(found, found.result.verdicts[asked.code], trace_text(recording) if recording else "", again)


def nothing_arrives(design: Variant, event: str, features: Sequence[str], vcpus: int) -> Judged | None:
    """Return that no payload ever arrives in an area while this event is searched; None if one does.

    A design in which nothing happens has no failures; it may be one that does nothing in this event alone.
    """
    found = searched(design, event, features, "payload-arrives", vcpus=vcpus)
    if found.verdict == HOLDS:
        return None
    return Judged(False, f"{event}, {vcpus} vCPU{'s' * (vcpus > 1)}: no payload ever arrives in the area", found.again)


def called(protocol: str | Variant) -> str:
    """Return what names a design in a command line: the answer's own by the file into which it can be saved."""
    if isinstance(protocol, str):
        return protocol
    return FILE if is_named(protocol.kind) else protocol.label



__all__ = ["Searched", "called", "compared", "nothing_arrives", "ran", "searched", "told"]
