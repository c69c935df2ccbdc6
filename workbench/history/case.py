"""A case of history: a design with a bug, the fixed design, and the failure that happened."""

from dataclasses import dataclass

from workbench.core.contracts import Feature, Protocol
from workbench.core.contracts.event import Event
from workbench.engines.explore.vm import Bounds
from workbench.measure.exploration.explore import Question
from workbench.measure.variants import Variant

#: How well a bug is documented, as far as this project could check.
READ, SECONDARY, INFERRED = "read", "secondary", "inferred"
EVIDENCE = {
    READ: "source, advisory or commit message read",
    SECONDARY: "a posted patch, a review, an excerpt or a title",
    INFERRED: "concluded from source that was read; no other source was found that says it",
}


@dataclass(frozen=True)
class Design:
    """A design to explore: a protocol with mitigations under an event, kept small."""

    kind: type[Protocol]
    event: Event
    features: tuple[Feature, ...]
    vcpus: int = 1
    fixes: tuple[str, ...] = ()  #: the mitigations switched on
    updates: int = 1  #: payload deliveries by the environment, for each vCPU

    @property
    def question(self) -> Question:
        """This design as a question to the explorer."""
        variant = Variant.of(self.kind, self.fixes)
        return Question(variant, self.event, self.features, self.vcpus, Bounds(updates=self.updates))

    def __str__(self) -> str:
        return f"{self.question.variant.label} / {self.event.name}"


@dataclass(frozen=True)
class Case:
    """One bug: ``broken`` must FAIL with every code of ``fails``; ``fixed`` must not, and must register something.

    ``bugs`` are its numbers in the lists of ``workbench.history.bugs``; ``fix`` names the fix and its source, or says
    that the fix is this project's.
    """

    name: str
    bugs: tuple[str, ...]
    title: str
    source: str
    evidence: str
    broken: Design
    fails: tuple[str, ...]
    fixed: Design
    fix: str
