"""The class of failures: a property of the facts of one state, independent of the engine, with its explanation.

A property has a premise and a claim. The premise says in which states the property is about something; the claim must
hold in all of them. A property whose premise never came about says nothing, and is reported as not exercised.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from workbench.checking.facts import Facts, Place


class Violation(NamedTuple):
    """What violates a property in one state (a feature's name, or "descriptor"), and a sentence with the place."""

    what: str
    sentence: str


@dataclass(frozen=True)
class Claim:
    """A claim that names what violates it: it holds in a state where ``violations`` yields nothing.

    ``at_rest``: the claim is made only for an idle machine, because guest and host differ while a program runs.
    """

    violations: Callable[[Facts], Iterable[Violation]]
    at_rest: bool = False

    def __call__(self, facts: Facts) -> bool:
        """Tell whether the claim holds."""
        return (self.at_rest and not facts.at_rest()) or not any(True for _ in self.violations(facts))


def for_places(wrong: Callable[[Facts, Place], str | None], *, at_rest: bool = False) -> Claim:
    """Return the claim that ``wrong``, which returns a sentence or None, says nothing of any place."""

    def violations(facts: Facts) -> Iterable[Violation]:
        for place in facts.places():
            sentence = wrong(facts, place)
            if sentence is not None:
                yield Violation(place.feature.name, sentence)

    return Claim(violations, at_rest)


@dataclass(frozen=True)
class Failure:
    """A property that must hold in every state (``always``), or that must hold in some state (``sometimes``).

    ``holds`` is the claim; a :class:`Claim` also names what violates it. ``premise`` tells whether the property is
    about something in a state. ``what`` happens, ``why`` it matters, the smallest ``example``, and where it was
    ``seen`` for real. ``sometimes`` properties detect models in which nothing happens, which satisfy all others.
    """

    code: str
    name: str
    kind: Literal["always", "sometimes"]
    holds: Callable[[Facts], bool]
    what: str
    why: str
    example: str
    seen: str
    premise: Callable[[Facts], bool]

    @property
    def title(self) -> str:
        """The name as people say it: "stray write"."""
        return self.name.replace("-", " ").replace("vcpu", "vCPU")

    @property
    def failing(self) -> str:
        """What is said where it fails: its name, or that what must be possible never happens."""
        return self.title if self.kind == "always" else f"{self.title}: never happens"

    def violations(self, facts: Facts, *, in_passing: bool = False) -> tuple[Violation, ...]:
        """Return what violates the property in a state; a claim that names nothing gives ``what`` happens.

        ``in_passing``: also while a program runs, for a claim that is made only for an idle machine.
        """
        if not isinstance(self.holds, Claim):
            return () if self.holds(facts) else (Violation("", self.what),)
        if self.holds.at_rest and not in_passing and not facts.at_rest():
            return ()
        return tuple(self.holds.violations(facts))

    def culprits(self, facts: Facts) -> tuple[str, ...]:
        """Return the names of what violates the property in a state."""
        return tuple(violation.what for violation in self.violations(facts))

    def __repr__(self) -> str:
        return f"<failure {self.code} {self.name}>"
