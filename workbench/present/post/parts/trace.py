"""The shortest way to a failure, as a sequence diagram: ``trace``, or ``trace F05:descriptor-race[:PROTOCOL]``."""

from __future__ import annotations

import shlex

from workbench.checking.failures import FAILURES, Failure
from workbench.checking.failures import choose as choose_failures
from workbench.core import own_files
from workbench.engines.explore import FAILS
from workbench.engines.explore.vm import Bounds
from workbench.errors import WorkbenchError
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.explore import Exploration, Question, explored
from workbench.measure.exploration.finding_replay import RecordedFinding
from workbench.measure.variants import first_feature
from workbench.present.finding_program import as_program
from workbench.present.post.asked import Asked
from workbench.present.post.section import Attachment, Section
from workbench.present.text.exploration import finding_text


def section(asked: Asked, words: str) -> Section:
    """Return the diagram, and the trace as an attachment that replays it."""
    number, exploration, failure = _first_failing(asked) if not words else _named(asked, words)
    question, label = exploration.question, exploration.question.variant.label
    rows = exploration.trace(failure)
    if exploration.result.verdicts[failure.code] != FAILS or rows is None:
        raise WorkbenchError(
            f"{label} under {question.event.name} ({question.size}): {failure.title} has no trace, because its verdict "
            f"is {exploration.result.verdicts[failure.code]}"
        )
    named = ",".join(own_files.named(one) for one in question.features)
    command = (
        f"workbench explore {shlex.quote(asked.named[number])}",
        f"--events {shlex.quote(own_files.named(question.event))}", f"--features {shlex.quote(named)}",
        f"--vcpus {question.vcpus}", *([f"--reads {question.bounds.reads}"] if question.bounds.reads else []),
        f"--property {failure.code}",
    )  # fmt: skip
    recorded = RecordedFinding.of(exploration, failure, asked.named[number])
    assert recorded is not None, "there is a trace"
    name = f"{label.replace('+', '-')}-{question.event.name}-{failure.name}.py"
    return Section(
        f"How it fails: {failure.title}",
        f"{label}: {failure.title} in {question.event.name}, after {len(rows)} steps.",
        [f"{label} under {question.event.name}, {question.size}:\n", f"{finding_text(exploration, failure)}\n"],
        [command],
        sources=[f"{failure.title}, seen for real: {failure.seen}"] if failure.seen else [],
        attachments=[Attachment(name, as_program(recorded).encode("ascii"), "text/plain")],
    )


def _first_failing(asked: Asked) -> tuple[int, Exploration, Failure]:
    """Return the shortest trace of the first design that has one."""
    for number, one in enumerate(asked.variants):
        failing = [cell for cell in asked.cells if str(cell.label()) == one.label and cell.trace is not None]
        if failing:
            return _explored(asked, number, min(failing, key=lambda cell: cell.steps or 0))
    raise WorkbenchError("nothing fails, so there is no trace to show; name other parts, events or protocols")


def _explored(asked: Asked, number: int, cell: Cell) -> tuple[int, Exploration, Failure]:
    event = next(one for one in asked.events if one.name == cell.event)
    reads = next((one.reads for one in cell.violators if one.steps == cell.steps), 0)
    question = Question.of(asked.variants[number], event, cell.features.split(","), cell.vcpus, Bounds(reads=reads))
    return number, explored(question, [FAILURES[cell.property]]), FAILURES[cell.property]


def _named(asked: Asked, words: str) -> tuple[int, Exploration, Failure]:
    """Return the exploration that ``FAILURE:EVENT[:PROTOCOL]`` names; the first design if none is named."""
    code, colon, rest = words.partition(":")
    event, _, protocol = rest.partition(":")
    if not colon or not event:
        raise WorkbenchError(f"trace {words!r}: expected FAILURE:EVENT or FAILURE:EVENT:PROTOCOL, for example "
                             "trace F05:descriptor-race")  # fmt: skip
    (failure,) = choose_failures([code])
    labels = [one.label for one in asked.variants]
    if protocol and protocol not in labels:
        raise WorkbenchError(f"trace {words!r}: the post is not about {protocol!r}", labels)
    number = labels.index(protocol) if protocol else 0
    usual = first_feature(asked.variants[number])
    named = [feature for feature in asked.features or () if feature.name in usual] or asked.features
    features = named[:1] if named else usual
    happening = next((one for one in asked.events if one.name == event), event)  # one of a file has no known name
    return number, explored(Question.of(asked.variants[number], happening, features), [failure]), failure
