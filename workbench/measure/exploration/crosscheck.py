"""The cross-check: explorer and SPIN on the same models, number by number.

SPIN's model is the exported text. Both must agree on the number of states and transitions, every property's
verdict, and the number of states that violate it (always) or have it (sometimes).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from workbench.checking.failures import FAILURES, Failure
from workbench.durable.share import Jobs
from workbench.durable.store import Store, opened
from workbench.engines.explore import FAILS, SecondOpinion, second_opinion, spin_version
from workbench.engines.explore.vm import Bounds
from workbench.errors import EngineError
from workbench.measure.exploration.explore import Question
from workbench.measure.exploration.export import promela_of
from workbench.measure.variants import Variant


class Setting(NamedTuple):
    """An event, and the size of the machine to which it happens; events and features by name or path.

    A design with an ABI of its own takes as many of its own features instead, unless the features are ``asked`` for.
    """

    event: str
    vcpus: int
    features: tuple[str, ...]
    reads: int = 0
    asked: bool = False

    def question(self, variant: Variant) -> Question:
        """Return the question for a protocol."""
        own = () if self.asked else variant.kind.own_features
        features = own[: len(self.features)] or self.features
        return Question.of(variant, self.event, features, self.vcpus, Bounds(reads=self.reads))


#: From a few hundred to a million states, each with different kinds of steps: registers and descriptors,
#: areas moved, vCPUs that stop, hosts that change, memory that goes, pages that are shared, payloads that are read.
SETTINGS = (
    Setting("boot", 1, ("kvmclock", "async_pf")),
    Setting("double-registration-crossing", 1, ("wall_clock", "kvmclock")),
    Setting("encrypted", 1, ("steal_time", "pv_eoi")),
    Setting("descriptor-race", 2, ("steal_time",)),
    Setting("cpu-unplug-no-teardown", 2, ("kvmclock",), reads=1),
    Setting("memslot-unplug", 2, ("kvmclock",), reads=1),
    Setting("migrate", 2, ("steal_time",)),
    Setting("migrate-damaged", 1, ("kvmclock", "async_pf")),
    Setting("kexec", 2, ("steal_time",)),
    Setting("kexec-no-teardown", 2, ("steal_time",)),
)


@dataclass(frozen=True)
class Compared:
    """A question, its failures, and the results of explorer and SPIN."""

    question: Question
    failures: tuple[Failure, ...]
    opinion: SecondOpinion

    @property
    def equal(self) -> bool:
        """Whether every number and every verdict is the same in both."""
        return self.opinion.agrees

    def failing(self) -> tuple[list[str], list[str]]:
        """Return the codes of the properties that fail, according to the explorer and according to SPIN."""
        verdicts = self.opinion.verdicts
        ours = [code for code, (said, _) in verdicts.items() if said == FAILS]
        return ours, [code for code, (_, said) in verdicts.items() if said == FAILS]

    def records(self) -> Iterator[dict[str, Any]]:
        """Yield one flat record for each property."""
        opinion, question = self.opinion, self.question
        for failure in self.failures:
            (verdict, spin_verdict), (met, spin_met) = opinion.verdicts[failure.code], opinion.hits[failure.code]
            premise, spin_premise = opinion.premises[failure.code]
            yield {
                "protocol": question.variant.label,
                "event": question.event.name,
                "vcpus": question.vcpus,
                "features": ",".join(feature.name for feature in question.features),
                "reads": question.bounds.reads,
                "property": failure.code,
                "states": opinion.states,
                "spin_states": opinion.spin_states,
                "transitions": opinion.transitions,
                "spin_transitions": opinion.spin_transitions,
                "verdict": verdict,
                "spin_verdict": spin_verdict,
                "met": met,
                "spin_met": spin_met,
                "premise": premise,
                "spin_premise": spin_premise,
                "equal": (opinion.states, opinion.transitions, verdict, met, premise)
                == (opinion.spin_states, opinion.spin_transitions, spin_verdict, spin_met, spin_premise),
            }


def compared(question: Question, failures: Sequence[Failure] = tuple(FAILURES.values())) -> Compared:
    """Explore a question and run SPIN on it; raise EngineError if SPIN is absent or fails."""
    result, text = promela_of(question, failures)
    return Compared(question, tuple(failures), second_opinion({f.code: f.kind for f in failures}, result, text))


def crosscheck(
    variants: Sequence[Variant],
    settings: Sequence[Setting] = SETTINGS,
    failures: Sequence[Failure] = tuple(FAILURES.values()),
    progress: Callable[[int, int], None] | None = None,
    state: Store | Path | str | None = None,
    jobs: Jobs = 1,
) -> list[Compared]:
    """Compare each variant in each setting, in this order; ``progress(done, total)`` is called after each.

    ``state``: a directory in which finished comparisons are kept, and used by a later call with it. ``jobs`` processes,
    or a cluster (``durable.cluster``), share the work. Raises EngineError if one of them has not the same SPIN.
    """
    questions = [setting.question(variant) for variant in variants for setting in settings]
    codes, version = [failure.code for failure in failures], spin_version()
    with opened(state) as store:
        keys = [[question.described(), codes, version] if store.folder else None for question in questions]
        batch = store.batch("models", keys)
        pieces = batch.shared(_comparing, [questions, codes, version], jobs, progress=progress)
        found = [SecondOpinion(**piece) for piece in pieces]
    return [Compared(question, tuple(failures), one) for question, one in zip(questions, found, strict=True)]


@contextmanager
def _comparing(
    questions: Sequence[Question], codes: Sequence[str], version: str
) -> Iterator[tuple[None, Callable[[int], dict[str, Any]]]]:
    """Begin in a worker (``durable.share``)."""
    if spin_version() != version:
        raise EngineError(f"SPIN is {spin_version()!r} at a worker, {version!r} here; install the same there")
    failures = [FAILURES[code] for code in codes]
    yield None, lambda number: asdict(compared(questions[number], failures).opinion)


__all__ = ["SETTINGS", "Compared", "Setting", "compared", "crosscheck"]
