"""Lose a registration by migrating, and name the entry of the host's state that was lost."""

import ast
from collections.abc import Hashable, Mapping
from typing import Any, NamedTuple

from workbench.checking.facts import Place
from workbench.classroom.answers import a_dict, a_text, shown
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import compared
from workbench.core.event_steps import NewHost
from workbench.core.host_state import DERIVED, VM, Key
from workbench.engines.simulate.schedule import Schedule
from workbench.errors import WorkbenchError
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, as_explored
from workbench.measure.exploration.recording import one_after_the_other
from workbench.protocols import PROTOCOLS

KEYS = ("protocol", "event", "feature", "entry")


class Moved(NamedTuple):
    """A machine after an event in which it moved: what the old host held, and the machine on the new host."""

    before: Mapping[Key, Any]
    machine: Schedule
    place: Place  #: the first area of the feature


class LoseARegistration(Exercise):
    """A migration after which the guest believes in an area that the host no longer serves."""

    name, number = "lose-a-registration", 4
    title = "Lose a registration by migrating"
    aim = "tell which entries of the host's state a migration must carry, and which another host works out itself"
    minutes, points = 10, 6
    knows = ("notebook 05: what a migration carries", "exercise read-a-trace")
    hints = (
        "Not every design loses its areas in a plain migration. Which of the two keeps its state where no existing "
        "interface can read it?",
        "Step through the migration in the view above. Compare the host's entries before the step `new host` with "
        "those at the end.",
        "An `area` entry is derived: another host works it out anew, if it has the registration. So look for the entry "
        "that held the address of the area, and that nobody restored.",
    )

    def judge(self, answer: Any) -> Judged:
        """Run the event on a machine, and compare the host's entries before the move with those at the end."""
        chosen = a_dict(answer, "the answer", KEYS)
        feature = a_text(chosen["feature"], "feature", list(FEATURES))
        protocol = a_text(chosen["protocol"], "protocol", list(PROTOCOLS))
        event = a_text(chosen["event"], "event", list(EVENTS))
        wanted = _key(chosen["entry"])
        again = compared(protocol, event, (feature,), 1, "fate")
        moved = _moved(Question.of(protocol, event, (feature,), 1))
        if isinstance(moved, str):
            return Judged(False, moved, again)
        place, machine = moved.place, moved.machine
        believed, live = machine.believed(place), machine.live(place)
        if believed is None:
            return Judged(False, f"the guest does not believe that {place} is registered: nothing can be lost", again)
        if live is not None:
            return Judged(False, f"after {event} the host still serves {place}, at {live:#x}: nothing is lost", again)
        wrong = _not_the_entry(moved, wanted, believed)
        if wrong:
            return Judged(False, wrong, again)
        lost = f"{_named(wanted)} = {_text(moved.before[wanted])}"
        said = f"{lost} is gone, and the guest still believes in {believed:#x}"
        return Judged(True, said, again)


def _moved(question: Question) -> Moved | str:
    """Run the event; return a sentence if the machine does not move, or the design does not know the feature."""
    machine = Schedule(question.scenario, as_explored(question.event))
    before: Mapping[Key, Any] | None = None
    for row in one_after_the_other(question):
        if isinstance(row.own_step, NewHost) and before is None:
            before = dict(machine.held())
        machine.turn(row.turn)
    if before is None:
        return f"no step of {question.event.name} moves the machine to another host"
    place = next(iter(machine.places()), None)
    if place is None:
        return f"{question.variant.label} has no way to register {question.features[0].name}"
    return Moved(before, machine, place)


def _not_the_entry(moved: Moved, wanted: Key, address: int) -> str:
    """Say what the run shows of an entry that is not the lost one; "" if it is."""
    name = _named(wanted)
    if wanted not in moved.before:
        return f"the host had no entry {name} before the move; it had {len(moved.before)} others"
    if wanted in dict(moved.machine.held()):
        return f"{name} is on the new host too: it was not lost"
    if wanted.kind in DERIVED:
        return f"{name} is gone, but it is derived: a host that has the registration works it out anew"
    if not _holds(moved.before[wanted], address, moved.place.feature.size):
        return f"{name} was {_text(moved.before[wanted])}, which does not say where the area is"
    return ""


def _holds(value: Hashable, address: int, size: int) -> bool:
    """Tell whether a value has the address in it; control bits may be in its lowest bits."""
    if isinstance(value, tuple):
        return any(_holds(one, address, size) for one in value)
    return isinstance(value, int) and address <= value < address + max(size, 1)


def _named(key: Key) -> str:
    """Return an entry's name as a student writes it: ``registry(1, 8)``, ``register(1, 0x4b564d20)``."""
    return f"{key.kind}({'VM' if key.cpu == VM else key.cpu}, {_text(key.name)})"


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return f"({', '.join(map(_text, value))}{',' if len(value) == 1 else ''})"
    return hex(value) if isinstance(value, int) and value > 999 else repr(value)


def _key(text: Any) -> Key:
    """Return the key that is written as ``registry(1, 8)``; VM may stand for the vCPU."""
    said = a_text(text, "entry")
    example = "write it as registry(1, 8), register(1, 0x11) or area(1, 'pv_eoi')"
    try:
        call = ast.parse(said.strip(), mode="eval").body
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Name) or len(call.args) != 2:
            raise ValueError(said)
        cpu, name = (VM if isinstance(one, ast.Name) and one.id == "VM" else ast.literal_eval(one) for one in call.args)
        return Key(call.func.id.replace("_", " "), cpu, name)
    except (ValueError, SyntaxError, TypeError, RecursionError):
        raise WorkbenchError(f"entry is {shown(text)}, which names no entry; {example}") from None
