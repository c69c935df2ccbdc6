"""Checks on whole runs: every event, the same steps each time, every feature at boot, a save and a restore."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from workbench.core.contracts import Feature
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.outcome import Fate
from workbench.core.own_files import is_from_file, named_anywhere
from workbench.core.rules.place import by_author
from workbench.core.scenario import Scenario
from workbench.durable.guard import environment, guarded_folder
from workbench.engines.simulate import simulate
from workbench.engines.simulate.engine import Simulation
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure.comparison.runs import possible
from workbench.measure.design_check.line import (
    FAIL,
    PASS,
    RUNS,
    SKIP,
    Line,
    error_text,
    key_text,
    keys_text,
    number_of,
)
from workbench.measure.design_check.tried import VCPUS, Tried, differing
from workbench.measure.variants import Variant, variant

Say = Callable[[str], None]
#: Events whose steps are compared between two runs.
COMPARED = ("boot", "kexec", "migrate")


def events(chosen: Variant, features: tuple[Feature, ...], say: Say) -> Iterator[Line]:
    """Run every event: steps and their sides, returned values, entries and Python state are checked on the way."""
    broken: dict[str, tuple[str, list[str]]] = {}
    happening = possible(EVENTS.values(), VCPUS)
    for event in happening:
        say(f"check: {event.name}")
        try:
            simulate(Scenario(chosen.protocol(features), features, vcpus=VCPUS), event)
        except BaseException as error:
            if not by_author(error):
                raise
            text = error_text(error)
            # Values differ from event to event; the place and the rule before them do not.
            broken.setdefault(text.partition(" (now ")[0], (text, []))[1].append(event.name)
    for text, names in list(broken.values())[:3]:
        more = f" and {number_of(len(names) - 1, 'other')}" if len(names) > 1 else ""
        yield Line(FAIL, RUNS, f"{text} (event {names[0]}{more})")
    if not broken:
        yield Line(PASS, RUNS, f"{len(happening)} events, {VCPUS} vCPUs: steps, sides, results")


def digest(name: str, features: Sequence[str]) -> str:
    """Return a checksum of all steps of a few events under the design and the features with these names."""
    found, chosen, wanted = hashlib.sha256(), variant(name), choose(features)
    for event in COMPARED:
        simulation = Simulation(Scenario(chosen.protocol(wanted), wanted, vcpus=VCPUS))
        for asked in ("get", "set", "peek", "poke", "backed", "note", "leave", "to_user"):
            _record(simulation.machine, asked, found.update)
        simulation.play(EVENTS[event].setup(simulation.scenario))
        simulation.play(EVENTS[event].happen(simulation.scenario))
    return found.hexdigest()


def _record(machine: Machine, asked: str, put: Callable[[bytes], None]) -> None:
    """Let ``put`` have every call of one of the machine's operations, with its arguments."""
    operation = getattr(machine, asked)

    def recorded(*arguments: Any) -> Any:
        put(repr((asked, arguments)).encode())
        return operation(*arguments)

    setattr(machine, asked, recorded)


def same_each_time(chosen: Variant, features: tuple[Feature, ...]) -> Line:
    """Compare the steps of two runs here, and of a run in another process, where hashes of text differ."""
    what = "same steps each time"
    name = "".join((named(chosen.kind), *(f"+{one}" for one in chosen.mitigations)))
    names = [named(feature) for feature in features]
    try:
        first, second = digest(name, names), digest(name, names)
    except BaseException as error:
        if not by_author(error):
            raise
        return Line(SKIP, what, "the design does not run")
    if first != second:
        return Line(FAIL, what, "two runs differ; a program may depend on nothing but what its steps answer")
    seed = "1" if os.environ.get("PYTHONHASHSEED") != "1" else "2"
    program = f"import sys; from {__name__} import digest; print(digest(sys.argv[1], sys.argv[2:]))"
    with guarded_folder() as folder:
        given = {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        command = [sys.executable, "-c", program, name, *names]
        other = subprocess.run(command, env=environment(folder) | given, capture_output=True, text=True, check=False)
    if other.returncode:
        return Line(FAIL, what, f"a run in another process breaks off: {other.stderr.strip().splitlines()[-1:]}")
    if other.stdout.strip() != first:
        return Line(FAIL, what, "a run in another process differs; go through a set in order: sorted(...)")
    return Line(PASS, what, f"{', '.join(COMPARED)}: twice here and once in another process")


def named(thing: Any) -> str:
    """Return a name by which another process finds a protocol or a feature, also one that no command named."""
    kind = thing if isinstance(thing, type) else type(thing)
    return f"{kind.__module__}:{kind.__name__}" if is_from_file(kind) else named_anywhere(thing)


def registered_at_boot(chosen: Variant, features: tuple[Feature, ...]) -> Line:
    """Every feature that the design supports must be registered after a boot, for both vCPUs."""
    what = "every feature registered at boot"
    tried = Tried(chosen, features, booted=True)
    supported = tried.scenario.supported()
    if not supported:
        return Line(SKIP, what, f"supports() is False for all of {', '.join(one.name for one in features)}")
    fates = tried.simulation.fates()
    names = {feature.name for feature in supported}
    wrong = {name: fate for (_, name), fate in fates.items() if name in names and fate is not Fate.REGISTERED}
    if not wrong:
        return Line(PASS, what, ", ".join(sorted(names)))
    if all(fate is Fate.REFUSED for fate in wrong.values()) and len(wrong) == len(names):
        return Line(SKIP, what, "the guest concludes REFUSED for every feature: the design registers nothing")
    told = ", ".join(f"{name} is {fate.value}" for name, fate in sorted(wrong.items()))
    strange = [
        key
        for key in tried.machine.entries
        if isinstance(key, Key) and key.kind == "area" and key.name not in {one.name for one in features}
    ]
    hint = f"; {keys_text(strange)} names no feature" if strange else ""
    return Line(FAIL, what, f"{told}{hint}; where a call succeeds, yield Set(area(owner, feature.name), gpa)")


def save_and_restore(chosen: Variant, features: tuple[Feature, ...]) -> Line:
    """What the host remembers after a boot must be the same after a save, an empty host and a restore."""
    what = "save and restore"
    tried = Tried(chosen, features, booted=True)
    before, served = tried.entries(derived=False), _served(tried)
    cpus = tuple(tried.machine.cpus.values())
    if not before and not served:
        return Line(SKIP, what, "the host remembers nothing")
    saved = tried.host(tried.protocol.save(cpus))
    tried.simulation.leave_host()
    tried.host(tried.protocol.restore(cpus, saved))
    after = tried.entries(derived=False)
    # A register that was never written reads 0, and a restore may write that 0.
    wrong = [key for key in differing(before, after) if key.kind != "register" or before.get(key) or after.get(key)]
    for cpu in range(VCPUS):  # a restore may stage what the next entry applies
        tried.enter(cpu)
    lost = [key for key, gpa in served.items() if _served(tried).get(key) != gpa]
    if not wrong and not lost:
        return Line(PASS, what, f"{len(before)} entries are the same afterwards")
    if wrong:
        key = sorted(wrong, key=key_text)[0]
        now = tried.entries(derived=False).get(key)
        told = f"{keys_text(wrong)} differ: {key_text(key)} was {before.get(key)!r}, is {now!r}"
    else:
        told = f"entries are the same, but {', '.join(f'{name} of {owner}' for owner, name in lost)} is not served"
    carried = [entry.carried for entry in tried.protocol.state(before, cpus)] if before else []
    if carried and not any(carried):
        told += "; state() says so too: no interface that exists carries it, so a migration loses the areas"
    if saved == ():
        told += "; save carries nothing: write save, restore and state"
    return Line(FAIL, what, told)


def _served(tried: Tried) -> dict[tuple[int, str], int]:
    found = {}
    for feature in tried.scenario.supported():
        for cpu in range(VCPUS):
            gpa = tried.serves(feature, cpu, tried.gpa(feature, cpu))
            if gpa is not None:
                found[cpu, feature.name] = gpa
    return found
