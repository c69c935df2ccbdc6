"""The numbered form of a model: its actions, and their effects on numbered values of numbered variables.

Rule kept here: the author's function is run once for each combination of values that it reads; the result is
remembered as the leaf of a decision tree whose branches are the reads in their order.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from workbench.core.rules.place import OF_A_STEP, at_step
from workbench.engines.explore.marks import Marks, Role
from workbench.engines.explore.model import BLOCKED, Model, Property, Rule
from workbench.engines.explore.numbering import Numbering, Projection, SlotVar
from workbench.engines.explore.positions.positions import Name, Positions
from workbench.engines.explore.view import IdState, View
from workbench.errors import WorkbenchError


class Effect:
    """What an action does: nothing (not enabled), or writes, some of them made by parts.

    `holds` is the value of a predicate, `marks` what a state with this effect is counted for.
    """

    __slots__ = ("enabled", "holds", "marks", "parts", "writes")

    def __init__(
        self,
        enabled: bool,
        writes: tuple[tuple[int, int], ...] = (),
        parts: tuple[Action, ...] = (),
        holds: bool = False,
        marks: tuple[int, ...] = (),
    ) -> None:
        self.enabled = enabled
        self.writes = writes
        self.parts = parts
        self.holds = holds
        self.marks = marks


class Branch:
    """An inner node of a decision tree: the variable read next, and where each value leads."""

    __slots__ = ("after", "projection", "var")

    def __init__(self, var: int, projection: Projection | None) -> None:
        self.var = var
        self.projection = projection
        self.after: dict[Any, Branch | Effect] = {}


Node = Branch | Effect | None


class Action:
    """A rule, a slot's step, a part of either, or a predicate.

    `choice`: for a slot, which of the alternatives that its step offers; None for everything else.
    """

    __slots__ = ("actor", "choice", "executed", "root", "run", "space")

    def __init__(self, space: Space, actor: Name, run: Callable[[View], Effect], choice: int | None = None) -> None:
        self.space = space
        self.actor = actor
        self.choice = choice
        self.run = run
        self.root: Node = None
        self.executed = 0

    def effect(self, state: IdState) -> Effect:
        """The effect in a state; the author's code runs only for values not met before."""
        node = self.root
        while type(node) is Branch:
            try:  # number_in, inlined: most of the time is spent here
                value: Any = state[node.var]
            except IndexError:
                value = 0
            node = node.after.get(value if node.projection is None else node.projection.of(value))
        if type(node) is Effect:
            return node
        return self._learn(state)

    def execute(self, state: IdState) -> tuple[Effect, View]:
        """Run the author's code without remembering anything."""
        self.executed += 1
        view = View(self.space, state, self.actor)
        return self.run(view), view

    def _learn(self, state: IdState) -> Effect:
        effect, view = self.execute(state)
        reads = view._reads
        if not reads:
            self.root = effect
            return effect
        if self.root is None:
            self.root = Branch(reads[0][0], reads[0][1])
        node = self.root
        for place, (var, projection, value) in enumerate(reads):
            if not isinstance(node, Branch) or node.var != var or node.projection is not projection:
                raise WorkbenchError(
                    f"{self.actor} is not deterministic: after the same reads it read something "
                    f"else ({self.space.names[var]!r})"
                )
            if place == len(reads) - 1:
                node.after[value] = effect
                break
            following = reads[place + 1]
            node = node.after.setdefault(value, Branch(following[0], following[1]))
        return effect


class Space(Numbering):
    """A model with its variables and values numbered. Action order: slots, each with its choices, then rules.

    `merging`: see :class:`Positions`.
    """

    def __init__(self, model: Model, merging: bool = True) -> None:
        model.check()
        self.model = model
        super().__init__(Positions(model.programs, model.max_positions, merging, model.objection), model.default)
        self._parts: dict[tuple[Any, ...], Action] = {}
        for slot, program in model.slots.items():
            self.declare(SlotVar(slot), None if program is None else self.positions.start(program))
        for name, value in model.variables.items():
            self.declare(name, value)
        self.actions = [
            self._slot_action(slot, choice) for slot in model.slots for choice in range(model.choices.get(slot, 1))
        ]
        self.actions += [self._rule_action(rule) for rule in model.rules]
        self.marks = Marks(model.properties)
        self.predicates = [self._predicate(prop) for prop in model.properties]
        self.premises = [self._premise(prop) for prop in model.properties if prop.premise is not None]
        self.ending = self._ending()

    @property
    def observers(self) -> list[Action]:
        """Everything that is asked of a state: the predicates in the order of the properties, then the premises."""
        return self.predicates + self.premises

    @property
    def parts(self) -> list[Action]:
        """The parts found so far."""
        return list(self._parts.values())

    def forget(self) -> None:
        """Forget what actions do: the variables that they read are no longer the same."""
        for action in (*self.actions, *self._parts.values()):
            action.root = None

    def initial(self) -> tuple[int, ...]:
        """The initial state: number 0 everywhere."""
        return (0,) * len(self.names)

    def part(self, fn: Callable[..., None], args: tuple[Hashable, ...], actor: Name) -> Action:
        """The action of a part; equal functions and arguments give the same action."""
        key = (fn, args)
        if key not in self._parts:
            self._parts[key] = Action(
                self,
                f"part {getattr(fn, '__name__', fn)}{args!r} of {actor}",
                lambda view: _run_part(view, fn, args),
            )
        return self._parts[key]

    def step_at(self, position: Any) -> Any:
        """The pending step of a slot value; None when idle."""
        return None if position is None else self.positions.step(position)

    def step_of(self, action: Action, state: IdState) -> Any:
        """The step that the action of a slot takes in a state; for a rule, its name."""
        if action.choice is None:
            return action.actor
        index = self._index[SlotVar(action.actor)]
        step = self.step_at(self.domains[index].values[state[index]])
        offered = self.offered(action.actor, step)
        return step if offered is None else offered[action.choice]

    def offered(self, slot: Name, step: Any) -> Sequence[Any] | None:
        """The steps that the slot may take next, if its pending step offers a choice."""
        offered = None if self.model.alternatives is None else self.model.alternatives(step)
        most = self.model.choices.get(slot, 1)
        if offered is not None and len(offered) > most:
            raise WorkbenchError(f"slot {slot}: {step!r} offers {len(offered)} alternatives; allowed are {most}")
        return offered

    def _slot_action(self, slot: Name, choice: int) -> Action:
        own, semantics = SlotVar(slot), self.model.semantics
        assert semantics is not None

        def run(view: View) -> Effect:
            position = view[own]
            if position is None:
                return Effect(False)
            step = self.positions.step(position)
            offered = self.offered(slot, step)
            if choice >= (1 if offered is None else len(offered)):
                return Effect(False)
            taken = step if offered is None else offered[choice]
            try:
                answer = semantics(slot, taken, view)
            except OF_A_STEP as error:  # told with the place that yields the step
                raise at_step(error, self.positions.suspended(position), taken) from None
            if answer is BLOCKED:
                return Effect(False)
            index = self._index[own]
            if index not in view._writes:  # otherwise the step has started or stopped its own slot
                following = self.positions.advance(position, answer if offered is None else taken)
                view._writes[index] = self.domains[index].number(following)
            return self._written(view)

        return Action(self, slot, run, choice)

    def _rule_action(self, rule: Rule) -> Action:
        def run(view: View) -> Effect:
            if rule.fn(view) is not False:
                return self._written(view)
            if view._writes or view._parts:
                raise WorkbenchError(f"rule {rule.name} wrote to the state but returned False (not enabled)")
            return Effect(False)

        return Action(self, rule.name, run)

    def _predicate(self, prop: Property) -> Action:
        decides, counted = self.marks.number(prop.code, Role.DECIDES), prop.kind == "sometimes"

        def answer(view: View) -> tuple[bool, tuple[int, ...]]:
            if prop.culprits is None:
                holds = bool(prop.predicate(view))
                return holds, (decides,) if holds is counted else ()
            named = dict.fromkeys(prop.culprits(view))
            return not named, (decides, *(self.marks.number(prop.code, name) for name in named)) if named else ()

        return self._question(f"property {prop.code}", answer)

    def _premise(self, prop: Property) -> Action:
        premise, mark = prop.premise, self.marks.number(prop.code, Role.PREMISE)
        assert premise is not None

        def answer(view: View) -> tuple[bool, tuple[int, ...]]:
            holds = bool(premise(view))
            return holds, (mark,) if holds else ()

        return self._question(f"premise of property {prop.code}", answer)

    def _question(self, actor: str, ask: Callable[[View], tuple[bool, tuple[int, ...]]]) -> Action:
        def run(view: View) -> Effect:
            holds, marks = ask(view)
            if view._writes or view._parts:
                raise WorkbenchError(f"{actor} wrote to the state; it may only read")
            return Effect(True, holds=holds, marks=marks)

        return Action(self, actor, run)

    def _ending(self) -> Action:
        slots, ending = list(self.model.slots), self.model.ending

        def answer(view: View) -> tuple[bool, tuple[int, ...]]:
            if ending is not None:
                return bool(ending(view)), ()
            return bool(slots) and all(map(view.idle, slots)), ()

        return self._question("the ending predicate", answer)

    def _written(self, view: View) -> Effect:
        parts = tuple(self.part(fn, args, view._actor) for fn, args in view._parts)
        return Effect(True, _writes(view), parts)


def _writes(view: View) -> tuple[tuple[int, int], ...]:
    return tuple(sorted(view._writes.items()))


def _run_part(view: View, fn: Callable[..., None], args: tuple[Hashable, ...]) -> Effect:
    fn(view, *args)
    if view._parts:
        raise WorkbenchError(f"{view._actor}: a part may not have parts of its own")
    return Effect(True, _writes(view))
