"""What a visitor can ask. A question is a form; what is filled in becomes the command line ``workbench page KIND ...``.

The names of protocols, features and events are offered, and others can be typed: a design of the visitor's own is
named by the path of its file, which is then executed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from workbench.checking.failures import FAILURES
from workbench.core.own_files import EXAMPLE
from workbench.errors import WorkbenchError, unknown
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.skew.combinations import PARTS
from workbench.measure.variants import DEFAULT
from workbench.present.index import EXPLORED
from workbench.present.text.register_writes import REGISTERS
from workbench.present.web.operations import OPERATIONS
from workbench.protocols import FIRST, PROTOCOLS

#: How a field is filled in: names that are ticked or typed, one name, one of a few, a number, a switch, a text.
TICKED, NAMED, CHOSEN, NUMBER, SWITCH, TYPED = "ticked", "named", "chosen", "number", "switch", "typed"
_LONGEST = 2000  #: characters of all that is filled in for one field


@dataclass(frozen=True)
class Field:
    """One field of a form; ``option`` is the command line's, empty for what stands there without an option."""

    name: str
    label: str
    kind: str
    option: str = ""
    offered: Sequence[str] = ()
    begins: Sequence[str] = ()  #: what is filled in at first
    hint: str = ""
    needed: str = ""  #: what is said if nothing is filled in; empty if nothing need be


@dataclass(frozen=True)
class Question:
    """A question of the app; ``at_once``: it is answered whenever a field changes, without being asked."""

    name: str  #: also the KIND of ``workbench page``
    title: str
    what: str
    fields: tuple[Field, ...]
    at_once: bool = True

    def command(self, filled: Mapping[str, Any]) -> list[str]:
        """Return the words after ``workbench`` that answer the question.

        Raises WorkbenchError for a field that the form does not have, and for one that must be filled in.
        """
        for name, values in filled.items():
            if name not in [field.name for field in self.fields]:
                raise unknown("field", name, [field.name for field in self.fields])
            if not isinstance(values, list) or not all(isinstance(one, str) for one in values):
                raise WorkbenchError(f"field {name}: a list of texts is expected")
        options: list[str] = []
        rest: list[str] = []
        for field in self.fields:
            (options if field.option else rest).extend(_words(field, filled.get(field.name, ())))
        return ["page", self.name, *rest, *options]


def _words(field: Field, values: Sequence[str]) -> list[str]:
    """Return what the values of a field are on a command line; one word holds option and value, whatever is typed."""
    given = [value.strip() for value in values if value.strip()]
    if sum(map(len, given)) > _LONGEST:
        raise WorkbenchError(f"{field.label}: more than {_LONGEST} characters")
    if field.needed and not given:
        raise WorkbenchError(field.needed)
    if field.kind == SWITCH:
        return [field.option] if given else []
    if not field.option:
        if any(value.startswith("-") for value in given):
            raise WorkbenchError(f"{field.label}: no name begins with -")
        return given
    return [f"{field.option}={','.join(given)}"] if given else []


_OWN = f"others, for example {EXAMPLE}"
_TICK = "name a protocol: tick one, or type the path of your own"
#: Nothing is ticked at first: a design with an ABI of its own carries none of KVM's features.
_FEATURES = Field("features", "Features", TICKED, "--features", tuple(FEATURES), (),
                  f"nothing ticked: those of each design's own; {_OWN}")
_VCPUS = Field("vcpus", "vCPUs", NUMBER, "--vcpus", hint="as the event needs")
_EVENTS = Field("events", "Events", NAMED, "--events", ("all", *EVENTS), hint=f"A,B  A+B  all  {EXAMPLE}")


def _protocols(hint: str = "others: generic+carry-registry, path/to/file.py:Class") -> Field:
    return Field("protocols", "Protocols", TICKED, "--protocols", FIRST, DEFAULT, hint, _TICK)


def _happening(*begins: str) -> Field:
    return Field("events", _EVENTS.label, NAMED, _EVENTS.option, _EVENTS.offered, (",".join(begins),), _EVENTS.hint)


QUESTIONS = {
    question.name: question
    for question in (
        Question(
            "compare", "Compare", "Exits, state, fate and cost of designs under events, for 1 to 4096 vCPUs.",
            (_protocols(), _happening("boot", "kexec", "migrate", "old-host"), _FEATURES),
        ),
        Question(
            "matrix", "What fails",
            "Every order of steps is tried under every event; a cell that fails opens the shortest way to the failure.",
            (
                _protocols(), _happening(*EXPLORED), _FEATURES, replace(_VCPUS, begins=("1",)),
                Field("mitigations", "Mitigations", TYPED, "--mitigations", hint="also each of these: carry-registry"),
            ),
            at_once=False,
        ),
        Question(
            "trace", "Trace", "The steps of one design under one event; of two designs side by side.",
            (
                Field("protocol", "Protocol", NAMED, "", tuple(PROTOCOLS), ("generic",), EXAMPLE, "name a protocol"),
                Field("beside", "beside it", NAMED, "", tuple(PROTOCOLS), (), "nothing"),
                Field("events", "Event", NAMED, "--events", tuple(EVENTS), ("migrate",), "A, or A+B"),
                _FEATURES, _VCPUS,
                Field("property", "up to", NAMED, "--property", tuple(one.name for one in FAILURES.values()),
                      hint="the end; or a failure"),
            ),
        ),
        Question(
            "operation", "One operation", "A registration, an update, a read or a revocation, step by step.",
            (
                Field("protocol", "Protocol", NAMED, "", tuple(PROTOCOLS), ("generic",), EXAMPLE, "name a protocol"),
                Field("feature", "Feature", NAMED, "--feature", tuple(FEATURES), ("kvmclock",), EXAMPLE),
                Field("what", "Operation", CHOSEN, "--what", OPERATIONS, ("register",)),
            ),
        ),
        Question(
            "skew", "Old and new", "Old and new guests, kernels and VMMs together: what works, what is lost.",
            (
                _protocols(), _FEATURES,
                Field("about", "About", TICKED, "--about", tuple(PARTS), tuple(PARTS), "nothing ticked: all"),
            ),
        ),
        Question(
            "verdict", "The page that decides", "Designs by what runs say of them; a cell says what was seen, and how.",
            (
                Field("protocols", "Protocols", TICKED, "", FIRST, DEFAULT,
                      "others: all, papr_vpa, path/to/file.py:Class", _TICK),
                _EVENTS, Field("quick", "with one feature each", SWITCH, "--quick"),
                Field("repairs", "without mitigations", SWITCH, "--no-repairs"),
            ),
            at_once=False,
        ),
        Question(
            "registers", "KVM's registers", "What each register does with each kind of value, or with one of yours.",
            (
                Field("write", "Writes", NAMED, "--write", tuple(f"{name}=0x1001" for name in REGISTERS),
                      hint="the whole map; or REGISTER=VALUE,..."),
                Field("irqchip", "no LAPIC in the kernel", SWITCH, "--no-irqchip"),
                Field("enforce", "enforce CPUID", SWITCH, "--enforce-cpuid"),
                Field("bits", "CPUID bits", TYPED, "--cpuid-bits", hint="all that KVM supports; or 3,4,5"),
            ),
        ),
        Question(
            "replay", "Replay file", "The operations of a file (docs/replay.md), their answers, and memory after each.",
            (
                Field("file", "File", TYPED, "", hint="path/to/file.jsonl", needed="name a file: path/to/file.jsonl"),
                Field("engine", "on", CHOSEN, "--engine", ("sim", "kvm"), ("sim",)),
                Field("protocol", "Protocol", NAMED, "--protocol", tuple(PROTOCOLS), ("per_feature",), EXAMPLE),
            ),
        ),
        Question("slides", "Slides", "Ten ideas for a lecture, one per screen, each with a picture of a run.", ()),
    )
}  # fmt: skip

__all__ = ["QUESTIONS", "Field", "Question"]
