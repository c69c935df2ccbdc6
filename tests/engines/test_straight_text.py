"""However a host program is written: as a plain function it does what it does step by step, or it is driven."""

import functools
import importlib.util
from pathlib import Path

import pytest

from workbench.clayout.types import U32
from workbench.core.driver import host_side
from workbench.core.host_state import registry
from workbench.core.machine import Machine
from workbench.core.steps import KERNEL, Backed, Get, Load, Now, Set, Store, ToUser
from workbench.core.vcpu import Vcpu
from workbench.engines.simulate import straight
from workbench.engines.simulate.straight import Straight
from workbench.protocols import per_feature

X, Y = registry(0, "x"), registry(0, "y")


def adds(key, by=1, *, times=1):
    """Another program, that the ones below call."""
    for _ in range(times):
        yield Set(key, ((yield Get(key)) or 0) + by)
    return (yield Get(key))


def lazily(cpu):
    yield Set(X, 1)
    if (yield Get(X)) or (yield from adds(Y)):
        yield Set(Y, 7)
    both = (yield Get(Y)) == 8 and (yield from adds(X, 100))
    one = (yield Get(X)) if both else (yield from adds(Y, 5, times=2))
    return f"{(yield Get(X))} {one!r} {(yield from adds(X)):>4}", both


def in_loops(cpu):
    found = []
    for number in range(5):
        if (yield from adds(X)) == 4:
            found.append("out")
            break
        if number == 1:
            continue
        found.append((yield Get(X)))
    else:
        found.append("never")
    while (value := (yield Get(X))) < 8:
        yield Set(X, value + 1)
    return tuple(found), value


def returns_early(cpu):
    for _ in range(3):
        if (yield from adds(X)) == 2:
            return (yield Get(X))
    return None


class Guard:
    def __init__(self):
        self.log = []

    def __enter__(self):
        self.log.append("in")
        return self

    def __exit__(self, kind, error, trace):
        self.log.append(kind and kind.__name__)
        return kind is KeyError


def at_the_end(cpu):
    log = []
    with Guard() as guard:
        yield Set(X, 1)
        raise KeyError((yield Get(X)))
    try:
        try:
            log.append((yield from adds(X)))
            {}[(yield Get(X))]
        except KeyError as error:
            log.append((error.args, (yield Get(X))))
        else:
            log.append("never")
        return log, guard.log
    finally:
        yield Set(Y, 3)


def of_its_own(cpu):
    """Programs inside of the program, which share its variables."""
    seen = 0

    def inner(key, more=2):
        nonlocal seen
        seen += yield from adds(key, more)
        return seen

    first = yield from inner(X)
    made = inner(Y, 5)
    second = yield from made
    third = yield from (inner(key) for key in (X,)).__next__()
    return first, second, third, seen


def with_a_lambda(cpu):
    asked = lambda key: (yield Get(key))  # noqa: E731
    yield Set(X, 4)
    return (yield from asked(X))


def with_names_of_its_own(cpu):
    """Its ``Get`` is no step of that name."""
    Get = lambda key: Set(key, 9)  # noqa: E731, N806
    yield Get(X)
    host_side = adds
    return (yield from host_side(Y, 3))


def with_other_steps(cpu):
    step = Set(X, 2)
    yield step
    yield Store(0x1000, 0x11223344, U32)
    yield Store(gpa=0x1004, value=b"ab")
    parts = (0x1000, U32)
    there = (yield Backed(0x1000, 4)), (yield Backed(size=4, gpa=0x9000))
    return (yield Load(*parts)), (yield Load(0x1004, 2)), there, (yield Now()).ns


def after_the_vmm_is_told(cpu):
    yield ToUser("why")
    return (yield from adds(X))


def matched(cpu):
    match (yield from adds(X)), (yield Get(X)):
        case (1, value) if (yield from adds(Y)):
            return value
    return "never"


def twice(function):
    """A decorator that has a program run twice."""

    @functools.wraps(function)
    def again(*arguments):
        first = yield from function(*arguments)
        return first, (yield from function(*arguments))

    return again


def never_more_than_ten(function):
    """A decorator that is no program itself."""

    @functools.wraps(function)
    def called(key, by=1, *, times=1):
        return function(key, min(by, 10), times=times)

    return called


@twice
def decorated(cpu):
    return (yield from adds(X))


limited = never_more_than_ten(adds)


def with_a_limit(cpu):
    return (yield from limited(X, 99))


class Base:
    def __own(self, key):
        return (yield from adds(key, 3))

    def program(self, cpu):
        return (yield from self.__own(X))


class Derived(Base):
    def program(self, cpu):
        first = yield from super().program(cpu)
        return first, (yield from super().program(cpu)), __class__.__name__

    @staticmethod
    def of_no_object(cpu):
        return (yield from adds(X))

    @classmethod
    def of_the_class(cls, cpu):
        return cls.__name__, (yield from adds(X))


def recursive(cpu, depth=3):
    return (yield from adds(X)) if not depth else (yield from recursive(cpu, depth - 1)) + 1


PROGRAMS = (
    lazily, in_loops, returns_early, at_the_end, of_its_own, with_a_lambda, with_names_of_its_own, with_other_steps,
    after_the_vmm_is_told, matched, decorated, with_a_limit, Derived().program, Derived.of_no_object,
    Derived.of_the_class, recursive,
)  # fmt: skip


def machine():
    made = Machine([Vcpu(0)])
    made.memory.add(0x1000, 0x1000)
    made.sides = []
    poke = made.poke
    made.poke = lambda gpa, data, side, **how: made.sides.append((gpa, data, side)) or poke(gpa, data, side, **how)
    return made


def left(made):
    return made.entries, made.ticks, made.sides, made.peek(0x1000, 0x1000, KERNEL)


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda one: one.__qualname__)
def test_any_text_does_what_it_does_step_by_step(program, monkeypatch):
    monkeypatch.setattr(straight, "is_authors", lambda file: False)
    plain, stepped = machine(), machine()
    at = Straight(plain)
    for _ in range(2):
        assert at.run(0, program, plain.cpus[0]) == stepped.run(0, host_side(program(stepped.cpus[0])))
        assert left(plain) == left(stepped)


def test_a_copy_of_a_shipped_file_is_an_authors(tmp_path):
    text = Path(per_feature.__file__).read_text()
    (tmp_path / "copied.py").write_text(text)
    theirs = import_from(tmp_path / "copied.py").PerFeature.on_entry
    assert theirs.__code__ == per_feature.PerFeature.on_entry.__code__
    assert straight._straight(per_feature.PerFeature.on_entry, Straight(machine())) is not None
    assert straight._straight(theirs, Straight(machine())) is None


def test_a_file_that_was_edited_since_is_driven(tmp_path, monkeypatch):
    monkeypatch.setattr(straight, "is_authors", lambda file: False)
    file = tmp_path / "edited.py"
    text = "from workbench.design import Now\n\n\ndef program(cpu):\n    yield Now()\n    return 1\n"
    file.write_text(text)
    before = import_from(file).program
    file.write_text(text.replace("return 1", "return 22"))
    at = Straight(machine())
    assert at.run(0, before, None) == 1
    assert at.run(0, import_from(file).program, None) == 22


def import_from(file):
    spec = importlib.util.spec_from_file_location(file.stem, file)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
