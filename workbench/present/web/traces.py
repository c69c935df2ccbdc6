"""Traces by name: of a failure that the explorer finds, or of one simulated schedule."""

from __future__ import annotations

from collections.abc import Sequence

from workbench.checking.failures import Failure
from workbench.checking.failures import choose as choose_failures
from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import Exploration, Question, explored
from workbench.measure.exploration.recording import Recording, of_finding, of_run
from workbench.measure.variants import Variant
from workbench.present.web.again import trace_again
from workbench.present.web.stepper import pair, stepper
from workbench.present.web.view import View


def trace(
    protocol: str | Variant, event: str | Event = "boot", features: Sequence[str | Feature] | None = None, *,
    vcpus: int | None = None, failure: str | None = None,
) -> View:  # fmt: skip
    """Return the steps of an event, one by one: the shortest way to ``failure``, or one simulated schedule.

    ``failure``: a code or a name (``F05``, ``double-fetch``). ``vcpus``: see ``Question.of``; for a schedule, 1. Raises
    WorkbenchError for an unknown name, an event that needs more vCPUs, and a failure that does not occur.
    """
    question = Question.of(protocol, event, features, vcpus)
    found = recording_of(question, failure)
    return stepper(found, **trace_again(question, found.failure))


def finding(exploration: Exploration) -> View:
    """Return the shortest trace to the failure that was searched for; raise WorkbenchError if there is none."""
    failure, found = _asked(exploration)
    return stepper(found, **trace_again(exploration.question, failure))


def findings(*explorations: Exploration) -> View:
    """Return two findings side by side; raise WorkbenchError where a failure has no trace."""
    failures, shown = zip(*map(_asked, explorations), strict=True)
    again = [trace_again(one.question, failure) for one, failure in zip(explorations, failures, strict=True)]
    return pair(" | ".join(failure.title for failure in failures), shown, again)


def _asked(exploration: Exploration) -> tuple[Failure, Recording]:
    """Return the one failure of a search, and its trace."""
    (failure,) = exploration.failures
    found = of_finding(exploration, failure)
    if found is None:
        raise WorkbenchError(_does_not_occur(failure, exploration.question))
    return failure, found


def side_by_side(
    protocols: Sequence[str | Variant], event: str | Event = "boot", features: Sequence[str | Feature] | None = None,
    *, vcpus: int | None = None, failure: str | None = None,
) -> View:  # fmt: skip
    """Return the traces of two designs under one event; a design in which the failure does not occur shows a schedule.

    Raises WorkbenchError like :func:`trace`, and for more or fewer than two designs.
    """
    if len(protocols) != 2:
        raise WorkbenchError(f"side by side are two designs; here are {len(protocols)}")
    return beside([Question.of(one, event, features, vcpus) for one in protocols], failure)


def beside(questions: Sequence[Question], failure: str | None) -> View:
    """Return the traces of two questions, see :func:`side_by_side`."""
    found = [recording_of(question, failure, or_run=True) for question in questions]
    again = [trace_again(question, one.failure) for question, one in zip(questions, found, strict=True)]
    return pair(" | ".join(question.variant.label for question in questions), found, again)


def recording_of(question: Question, failure: str | None, *, or_run: bool = False) -> Recording:
    """Return the recording that :func:`trace` shows; ``or_run``: of a schedule, where the failure does not occur."""
    if failure is None:
        return of_run(question)
    (asked,) = choose_failures([failure])
    found = of_finding(explored(question, [asked]), asked)
    if found is not None:
        return found
    if or_run:
        return of_run(question)
    raise WorkbenchError(_does_not_occur(asked, question))


def _does_not_occur(failure: Failure, question: Question) -> str:
    return (
        f"{failure.title} ({failure.code}) does not occur: {question.variant.label} under {question.event.name} "
        f"({question.size}); `workbench matrix` says where it does"
    )


__all__ = ["beside", "finding", "findings", "recording_of", "side_by_side", "trace"]
