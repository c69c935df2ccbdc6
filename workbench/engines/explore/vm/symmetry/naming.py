"""A section of an event that takes the vCPUs one after the other, made indifferent to their names.

While all vCPUs are paused the VMM saves and restores them in an order, and its program holds what it has saved: with
two vCPUs exchanged it is another program. To merge its states as they are would be wrong, for what a restore does may
depend on the order (``migrate-damaged`` changes the first address). So the section is explored under every assignment
of names: the vCPU that it treats as the first may be any of those that can be exchanged. A state under other names
stands for the one that it becomes when the names are put right, and only for that one. Behind one such section every
state is, names put right, one that the event really leads to. Behind two it need not be: where a trace cannot be put
right, SymmetryError is raised, and nothing is merged.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from workbench.core.event_steps import Pause, Resume
from workbench.core.relay import relayed
from workbench.core.steps import Program
from workbench.engines.explore.model import SymmetryError
from workbench.engines.explore.vm.symmetry.exchange import AnyNames, Exchange, PauseAs


def any_names(members: Sequence[int]) -> AnyNames:
    """Return the choice of names at a Pause."""
    orders = (tuple(zip(members, order, strict=True)) for order in itertools.permutations(members))
    others = (PauseAs(names) for names in orders if any(cpu != name for cpu, name in names))
    return AnyNames(tuple(sorted((Pause(), *others), key=repr)))


def mapping_of(pause: Pause | PauseAs, members: Sequence[int]) -> dict[int, int]:
    """Return whose part each vCPU plays after this pause."""
    return dict(pause.names) if isinstance(pause, PauseAs) else {cpu: cpu for cpu in members}


class Naming:
    """The sections of one machine's event, for the vCPUs that can be exchanged."""

    def __init__(self, exchanges: dict[tuple[int, ...], Exchange], members: tuple[int, ...]) -> None:
        self.members = members
        self.choice = any_names(members)
        self._exchanges = exchanges

    def exchange(self, mapping: dict[int, int]) -> Exchange:
        """Return the renaming by a mapping of the members."""
        return self._exchanges[tuple(mapping[cpu] for cpu in self.members)]

    def under_any_names(self, event: Program) -> Program:
        """Return the event's program with a choice of names at each Pause, which holds until Resume."""
        to: Exchange | None = None
        back: Exchange | None = None

        def renamed(step: Any) -> Program:
            nonlocal to, back
            if type(step) is Pause:
                mapping = mapping_of((yield self.choice), self.members)
                to, back = self.exchange(mapping), self.exchange({new: old for old, new in mapping.items()})
                return None
            if to is None or back is None:
                return (yield step)
            other = to.step(step)
            answer = back.answer(other, (yield other))
            if type(step) is Resume:
                to = back = None
            return answer

        return relayed(event, renamed)

    def home(self, steps: Sequence[Any]) -> dict[int, int] | None:
        """Return how a trace must be renamed so that its section has the proper names; None if it has.

        Raises SymmetryError for a trace through sections under different names.
        """
        pauses = [step for step in steps if isinstance(step, Pause | PauseAs)]
        if len(set(pauses)) > 1:
            raise SymmetryError("the event stops all vCPUs more than once, and a finding needs them under two names")
        if not pauses or type(pauses[0]) is Pause:
            return None
        return {new: old for old, new in mapping_of(pauses[0], self.members).items()}
