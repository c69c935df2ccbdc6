"""What pieces of work take, learned from those that are finished: which to do first, and how long the rest will take.

A piece has labels, one of each sort, such as its event, its size and its design. What it will take is estimated as the
mean of the finished pieces, times a factor for each of its labels: how much more than expected pieces with that label
took. A factor rests on few pieces at first, so each is drawn towards 1 by pieces that took what was expected. Where the
longest are done first, they are more often too high than too low: by how much, the last pieces tell.

The order is of use where several share the work: a long piece that begins last leaves all others without work.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from typing import TypeAlias

Labels: TypeAlias = Sequence[Hashable]

#: The pieces that draw a factor towards 1: hardly any for the first label, which says most.
_DRAWN = (0.1, 1.0)
#: What the last pieces took of what was estimated: the newest counts 1, the one before it so much, and so on.
_FADING = 0.99
#: So many pieces that took the mean, as estimated, are weighed with them.
_CALM = 20
#: Rounds in which the factors of each sort are fitted to the others.
_ROUNDS = 3
#: The factors are fitted again when so large a part of the finished pieces is new.
_NEW = 1 / 20


class Efforts:
    """The pieces that are expected, by number with their labels, and the seconds of those that are finished."""

    def __init__(self) -> None:
        self._labels: dict[int, Labels] = {}
        self._took: dict[int, float] = {}
        self._fitted = 0  # finished pieces on which the factors rest
        self._mean = 0.0
        self._factors: list[dict[Hashable, float]] = []
        self._lately = (0.0, 0.0)  # seconds of the last pieces, and what was estimated of them

    def expect(self, labels: Mapping[int, Labels]) -> None:
        """Set the pieces that are to be done. All have as many labels; the first is that which says most."""
        self._labels, self._took, self._fitted = dict(labels), {}, 0
        self._factors, self._lately = [{} for _ in next(iter(labels.values()), ())], (0.0, 0.0)

    def finished(self, number: int, seconds: float) -> None:
        """Learn what a piece took."""
        self._fit()
        labels = self._labels[number]
        if labels[0] in self._factors[0]:
            took, estimated = self._lately
            self._lately = _FADING * took + seconds, _FADING * estimated + self._estimate(labels)
        self._took[number] = seconds

    @property
    def spent(self) -> float:
        """Seconds of the pieces that are finished, of all who share the work."""
        return sum(self._took.values())

    def left(self) -> float | None:
        """Return the seconds that the other pieces will take together; None if nothing is finished yet."""
        if not self._took:
            return None
        self._fit()
        took, estimated = (seconds + _CALM * self._mean for seconds in self._lately)
        rest = sum(self._estimate(labels) for number, labels in self._labels.items() if number not in self._took)
        return rest * took / estimated if estimated else rest

    def longest_first(self, numbers: Collection[int]) -> Iterator[int]:
        """Yield ``numbers``: first one piece of each first label, to learn by, then the longest by what is known then.

        Each is chosen when it is asked for; pieces that are equally long come in the order given.
        """
        firsts: dict[Hashable, int] = {}
        for number in numbers:
            firsts.setdefault(self._labels[number][0], number)
        begun = set(firsts.values())
        yield from (number for number in numbers if number in begun)
        rest = [number for number in numbers if number not in begun]
        while rest:
            self._fit()
            rest.sort(key=lambda number: self._estimate(self._labels[number]), reverse=True)
            now = max(1, int(len(rest) * _NEW))
            yield from rest[:now]
            del rest[:now]

    def _estimate(self, labels: Labels) -> float:
        seconds = self._mean
        for factors, label in zip(self._factors, labels, strict=True):
            seconds *= factors.get(label, 1.0)
        return seconds

    def _fit(self) -> None:
        """Fit mean and factors to what is finished, unless hardly anything is new."""
        if not self._took or len(self._took) * (1 - _NEW) < self._fitted:
            return
        self._fitted, self._mean = len(self._took), self.spent / len(self._took)
        known = [(self._labels[number], seconds) for number, seconds in self._took.items()]
        self._factors = [{} for _ in self._factors]
        for _ in range(_ROUNDS):
            for sort in range(len(self._factors)):
                self._factors[sort] = self._fitted_factors(sort, known)

    def _fitted_factors(self, sort: int, known: Iterable[tuple[Labels, float]]) -> dict[Hashable, float]:
        """Return the factor of each label of one sort: what its pieces took, of what the other labels let expect."""
        self._factors[sort] = {}
        drawn = self._mean * _DRAWN[min(sort, 1)]
        took: dict[Hashable, float] = defaultdict(lambda: drawn)
        expected: dict[Hashable, float] = defaultdict(lambda: drawn)
        for labels, seconds in known:
            took[labels[sort]] += seconds
            expected[labels[sort]] += self._estimate(labels)
        return {label: seconds / expected[label] for label, seconds in took.items() if expected[label]}
