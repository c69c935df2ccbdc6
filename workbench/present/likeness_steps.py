"""What decided a point of the checklist of hardware: the operations that were tried, each with its steps."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from textwrap import wrap

from workbench.core.contracts import Feature
from workbench.core.step_text import key_text, value_text
from workbench.errors import WorkbenchError, unknown
from workbench.measure.design_check.operations import NOWHERE
from workbench.measure.design_check.tried import Tried
from workbench.measure.likeness.checklist import POINTS, needed_first, registered_for
from workbench.measure.variants import Variant
from workbench.present.trial import WIDTH, Account, Trial

RESET = "reset gives a known state"  #: asked of a machine that has booted
FIRST, APART = 0x1_0000, 0x1000  #: where areas are, bytes
Told = Account | str


def check_point(name: str) -> None:
    """Raise WorkbenchError for an unknown point, and for one that more than single operations decide."""
    if name not in STEPS and name != RESET:
        point = next((one for one in POINTS if one.name == name), None)
        if point is None:
            raise unknown("point", name, [one.name for one in POINTS])
        said = f"point {name!r} is not decided by single operations; what shows it is"
        shown_by = " ".join(point.command("NAME", (), "FEATURE"))
        raise WorkbenchError(f"{said} {shown_by}", [*STEPS, RESET], lead="--steps knows")


def likeness_steps(name: str, chosen: Variant, features: tuple[Feature, ...]) -> str:
    """Return the operations that decide a point, for the first feature that it is answered "no" for, or "yes"."""
    check_point(name)
    answer = next(point for point in POINTS if point.name == name).ask(chosen, features)
    trial = Trial(chosen, features, vcpus=2)
    known = [feature for feature in features if trial.protocol.supports(feature) and not feature.is_value]
    about = [feature for feature in known if feature.name in answer.features] or known
    blocks = [f"{chosen.label}: {name}: {answer.word} ({answer.seen})"]
    if name == RESET:
        blocks += _init(chosen, features)
    elif about:
        for cpu in (0, 1):
            trial.guest(trial.protocol.prepare(trial.machine.cpus[cpu]), cpu)
        for one in needed_first(chosen, features, about[0]):
            trial.prepare(one.name, _at(known, one))
            blocks.append(repr(trial.register(one.name, _at(known, one))))
        trial.prepare(about[0].name, _at(known, about[0]))
        blocks += [told if isinstance(told, str) else repr(told) for told in STEPS[name](trial, about[0], known)]
    if answer.features[1:]:
        blocks.append(f"The same holds for {', '.join(answer.features[1:])}.")
    return "\n\n".join(map(_wrapped, blocks)) + "\n"


def _wrapped(block: str) -> str:
    lines = [wrap(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False) for line in block.split("\n")]
    return "\n".join("\n".join(some) for some in lines)


def _at(known: list[Feature], feature: Feature, cpu: int = 0) -> int:
    return FIRST + APART * (2 * known.index(feature) + cpu)


def _register(trial: Trial, feature: Feature, known: list[Feature]) -> Iterator[Told]:
    yield trial.register(feature.name, _at(known, feature))


def _read_back(trial: Trial, feature: Feature, known: list[Feature]) -> Iterator[Told]:
    gpa = _at(known, feature)
    yield trial.register(feature.name, gpa)
    yield trial.guest(trial.protocol.confirm(trial.machine.cpus[0], feature, gpa), what="read it back")
    for msr in sorted(trial.protocol.msrs):
        yield trial.rdmsr(msr)


def _again(trial: Trial, feature: Feature, known: list[Feature]) -> Iterator[Told]:
    yield from _register(trial, feature, known)
    yield trial.enter()
    yield "The same again:"
    yield from _register(trial, feature, known)


def _nowhere(trial: Trial, feature: Feature, known: list[Feature]) -> Iterator[Told]:
    yield f"No RAM is at {NOWHERE:#x}."
    yield trial.register(feature.name, NOWHERE)


def _init(chosen: Variant, features: tuple[Feature, ...]) -> Iterator[str]:
    tried = Tried(chosen, features, booted=True)
    yield _held("after boot", tried)
    tried.host(tried.protocol.on_init(tried.machine.cpus[1]), 1)
    yield _held("after INIT", tried)
    yield _held("before it has registered anything", Tried(chosen, features))


def _held(when: str, tried: Tried) -> str:
    lines = [f"  {key_text(key)} = {value_text(value)}" for key, value in registered_for(tried, 1).items()]
    return "\n".join([f"What the host holds for vCPU 1 {when}:", *(lines or ["  nothing"])])


def _elsewhere(trial: Trial, feature: Feature, known: list[Feature]) -> Iterator[Told]:
    for one in known:
        trial.prepare(one.name, _at(known, one))
        trial.register(one.name, _at(known, one))
    yield _served(trial, known)
    trial.prepare(feature.name, _at(known, feature, 1), 1)
    yield trial.register(feature.name, _at(known, feature, 1), 1 if feature.scope == "vcpu" else 0)
    yield _served(trial, known)


def _served(trial: Trial, known: list[Feature]) -> str:
    places = [(one.name, trial.serves(one.name)) for one in known]
    lines = [f"  {name} {'nowhere' if gpa is None else f'at {gpa:#x}'}" for name, gpa in places]
    return "\n".join(["For vCPU 0 the host serves:", *lines])


#: By a point's name: what is tried, in order.
STEPS: Mapping[str, Callable[[Trial, Feature, list[Feature]], Iterator[Told]]] = {
    "can be read back": _read_back,
    "request in a register": _register,
    "no result in memory": _register,
    "one access": _register,
    "no effect elsewhere": _elsewhere,
    "idempotent": _again,
    "a refusal is told": _nowhere,
}
