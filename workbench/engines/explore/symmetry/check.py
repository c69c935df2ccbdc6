"""Checks that a model is as symmetric as its author claims; counts the states that the representatives stand for.

A claim that is found false ends the search and never leads to a verdict. Programs are compared completely: every
position and every answer that was met. Successor states and the values of properties are compared on the first states
of a search (`workbench.engines.explore.reference`) and on a sample of all of them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import numpy as np

from workbench.engines.explore.reference import PlainSearch
from workbench.engines.explore.search import State
from workbench.engines.explore.space import Space
from workbench.engines.explore.symmetry.packed import PackedSymmetry
from workbench.engines.explore.symmetry.representatives import Renamings
from workbench.engines.explore.tables.packed_search import PackedSearch, chunks

SAMPLE = 200  # states
COUNTED_UP_TO = 1_000_000  # representatives; counting takes about as long as the search


def hold_against(renamings: Renamings, search: PlainSearch | PackedSearch, compare: Callable[[State], None]) -> None:
    """Raise SymmetryError if what a search has met is not symmetric; ``compare`` raises it for one state."""
    renamings.compare_programs()
    for state in _sample(search):
        compare(state)
    renamings.compare_programs()  # the sample has asked for more


def _sample(search: PlainSearch | PackedSearch) -> list[State]:
    choice = random.Random(0)
    if isinstance(search, PlainSearch):
        states = list(search.parents)
        return choice.sample(states, min(SAMPLE, len(states)))
    ends = np.cumsum([len(level[0]) for level in search.levels])
    found = []
    for number in sorted(choice.sample(range(int(ends[-1])), min(SAMPLE, int(ends[-1])))):
        level = int(np.searchsorted(ends, number, side="right"))
        place = number - int(ends[level])  # from the end of its level
        found.append(search.layout.unpack([int(word[place]) for word in search.levels[level]]))
    return found


def stands_for(renamings: Renamings, search: PlainSearch | PackedSearch) -> int | None:
    """How many states the representatives stand for, themselves included; None if there are too many to count."""
    if search.outcome.states > COUNTED_UP_TO:
        return None
    return sum(_plainly(renamings, search) if isinstance(search, PlainSearch) else _packed(search))


def _alone(space: Space) -> list[int]:
    """The variables that, if not at their initial value, show that a state represents only itself."""
    wanted = {group.alone for group in space.model.symmetry if group.alone is not None}
    return [index for index, name in enumerate(space.names) if name in wanted]


def _plainly(renamings: Renamings, search: PlainSearch) -> Iterator[int]:
    space, alone = search.space, _alone(search.space)
    for state in search.parents:
        if any(state[index] for index in alone):
            yield 1
        else:
            wide = state + (0,) * (len(space.names) - len(state))
            yield len({wide, *(renaming.apply(wide) for renaming in renamings.all)})


def _packed(search: PackedSearch) -> Iterator[int]:
    symmetry = search.packed_reduction
    assert isinstance(symmetry, PackedSymmetry)
    renamings = len(symmetry.renamings.all) + 1
    for level in search.levels:
        for words in chunks(level):
            same = 1 + symmetry.unmoved(words)  # renamings that change nothing, the empty one included
            for var in _alone(search.space):
                same[search.layout.field(var, words) != 0] = renamings
            yield int((renamings // same).sum())
