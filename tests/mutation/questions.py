"""What a user sees of a protocol, as questions with short answers: the simulator's tables, and cells of the matrix.

A question is named by a tuple of strings and numbers, so that it can be stored and asked in another process. Its answer
is a flat mapping from the name of a cell to its text. Imports of the package are inside the functions, because the
package is imported anew, with one file changed, in each process that answers.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

#: kind, label of the variant (or case), event, number of the size
Question = tuple[str, str, str, int]
Answer = dict[str, str]

TABLE, CELL, CASE = "table", "cell", "case"
#: The same about features of the user's own (``--features PATH``); the number of such a cell is a place in OWN_SIZES.
OWN_TABLE, OWN_CELL = "table of own features", "cell of an own feature"
TABLES, CELLS = frozenset((TABLE, OWN_TABLE)), frozenset((CELL, OWN_CELL))
#: vCPUs of the simulator's tables.
VCPUS = (2,)
#: Features with registers that KVM does not have: a vCPU's, written at entry; the VM's, at once; on request.
OWN = tuple(
    str(Path(__file__).parents[1] / "additions" / name)
    for name in ("pv_sched.py", "host_uptime.py:HostUptime", "host_uptime.py:SliceHint")
)
OWN_SIZES = tuple((1, own) for own in OWN)


def labels() -> list[str]:
    """Return the variants of shipped protocols: without mitigations, with all of them, with each."""
    from workbench.protocols import FIRST, PROTOCOLS

    found = []
    for name in FIRST:
        known = tuple(PROTOCOLS[name].mitigations_known)
        found.append(name)
        if known:
            found.append("+".join((name, *known)))
            found += [f"{name}+{one}" for one in known if len(known) > 1]
    return found


def of_protocols(cells: bool) -> Iterator[Question]:
    """Yield the questions about shipped protocols, in no particular order."""
    from workbench.checking.failures import FAILURES
    from workbench.lifecycle import EVENTS
    from workbench.measure.exploration.matrix import MAX_STATES, tasks
    from workbench.measure.variants import variants

    for label in labels():
        for event in EVENTS.values():
            fitting = [vcpus for vcpus in VCPUS if vcpus >= event.min_vcpus]
            yield from ((kind, label, event.name, vcpus) for kind in (TABLE, OWN_TABLE) for vcpus in fitting)
        if cells:
            for event in EVENTS.values():
                todo = tasks(variants([label]), [event], tuple(FAILURES.values()), None, MAX_STATES)
                yield from ((CELL, label, event.name, number) for number in range(len(todo)))
                fitting = [number for number, (vcpus, _) in enumerate(OWN_SIZES) if vcpus >= event.min_vcpus]
                yield from ((OWN_CELL, label, event.name, number) for number in fitting)


def of_cases(module: str) -> Iterator[Question]:
    """Yield the questions about the cases of history whose design stands in ``module``."""
    from workbench.history.cases_kvm import KVM_CASES
    from workbench.history.cases_others import OTHER_CASES

    for case in (*KVM_CASES, *OTHER_CASES):
        if module in {base.__module__ for base in case.broken.kind.__mro__}:
            yield (CASE, case.name, "", 0)


def answer(question: Question) -> Answer:
    """Return the answer; raises whatever a wrong protocol raises."""
    kind, label, event, number = question
    if kind in TABLES:
        return _table(label, event, number, OWN if kind == OWN_TABLE else ())
    if kind in CELLS:
        return _cells(label, event, number, own=kind == OWN_CELL)
    return _case(label)


def _table(label: str, event_name: str, vcpus: int, own: tuple[str, ...]) -> Answer:
    """Exits, accesses, fates, stray writes, guest memory and migration state of one simulated run."""
    from workbench.core.scenario import Scenario
    from workbench.engines.simulate import simulate
    from workbench.features import choose
    from workbench.lifecycle import EVENTS
    from workbench.measure.comparison.guest_memory import guest_memory_use
    from workbench.measure.comparison.runs import state_of
    from workbench.measure.variants import variant

    features = choose(["all", *own])
    run = simulate(Scenario(variant(label).protocol(features), features, vcpus=vcpus), EVENTS[event_name])
    said: dict[str, Any] = {f"count {name}": n for name, n in run.counts.items() if n and name != "steps"}
    said |= {f"fate of {feature} of {owner}": fate.value for (owner, feature), fate in run.fates.items()}
    said |= {"stray writes": run.strays, "guest memory": guest_memory_use(run.scenario, run.machine)}
    said |= {f"state {entry}": n for entry, n in Counter(state_of(run.scenario, run.machine)).items()}
    return {name: str(value) for name, value in said.items()}


def _cells(label: str, event_name: str, number: int, *, own: bool) -> Answer:
    """The verdicts of all properties of one variant under one event at one size."""
    from workbench.checking.failures import FAILURES
    from workbench.lifecycle import EVENTS
    from workbench.measure.exploration.matrix import MAX_STATES, Size, tasks, work
    from workbench.measure.variants import variants

    sizes = [Size(vcpus, (path,)) for vcpus, path in OWN_SIZES[number : number + 1]] if own else None
    todo = tasks(variants([label]), [EVENTS[event_name]], tuple(FAILURES.values()), sizes, MAX_STATES)
    cells = work(todo[0 if own else number])
    return {f"{c.property} {c.name}": " ".join((c.verdict, *sorted(v.what for v in c.violators))) for c in cells}


def _case(name: str) -> Answer:
    """The verdicts of all properties of a historical design, with and without the fix."""
    from workbench.history.cases_kvm import KVM_CASES
    from workbench.history.cases_others import OTHER_CASES
    from workbench.history.runner import explore_design

    case = next(case for case in (*KVM_CASES, *OTHER_CASES) if case.name == name)
    broken, fixed = explore_design(case.broken).result, explore_design(case.fixed).result
    said = {f"broken {code}": verdict for code, verdict in broken.verdicts.items()}
    return said | {f"fixed {code}": verdict for code, verdict in fixed.verdicts.items()}
