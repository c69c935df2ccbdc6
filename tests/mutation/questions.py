"""What a user sees of a protocol, as questions with short answers: the simulator's tables, and cells of the matrix.

A question is named by a tuple of strings and numbers, so that it can be stored and asked in another process. Its answer
is a flat mapping from the name of a cell to its text. Imports of the package are inside the functions, because the
package is imported anew, with one file changed, in each process that answers.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

#: kind, label of the variant (or case), event, number of the size
Question = tuple[str, str, str, int]
Answer = dict[str, str]

TABLE, CELL, CASE = "table", "cell", "case"
#: vCPUs of the simulator's tables.
VCPUS = (2,)


def labels() -> list[str]:
    """Return the variants of shipped protocols: without mitigations, with all of them, with each."""
    from workbench.protocols import PROTOCOLS

    found = []
    for name, kind in PROTOCOLS.items():
        known = tuple(kind.mitigations_known)
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
            yield from ((TABLE, label, event.name, vcpus) for vcpus in VCPUS if vcpus >= event.min_vcpus)
        if cells:
            for event in EVENTS.values():
                todo = tasks(variants([label]), [event], tuple(FAILURES.values()), None, MAX_STATES)
                yield from ((CELL, label, event.name, number) for number in range(len(todo)))


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
    if kind == TABLE:
        return _table(label, event, number)
    if kind == CELL:
        return _cells(label, event, number)
    return _case(label)


def _table(label: str, event_name: str, vcpus: int) -> Answer:
    """Exits, accesses, fates, stray writes, guest memory and migration state of one simulated run."""
    from workbench.core.scenario import Scenario
    from workbench.engines.simulate import simulate
    from workbench.features import choose
    from workbench.lifecycle import EVENTS
    from workbench.measure.comparison.guest_memory import guest_memory_use
    from workbench.measure.comparison.runs import state_of
    from workbench.measure.variants import variant

    features = choose()
    run = simulate(Scenario(variant(label).protocol(features), features, vcpus=vcpus), EVENTS[event_name])
    said: dict[str, Any] = {f"count {name}": n for name, n in run.counts.items() if n and name != "steps"}
    said |= {f"fate of {feature} of {owner}": fate.value for (owner, feature), fate in run.fates.items()}
    said |= {"stray writes": run.strays, "guest memory": guest_memory_use(run.scenario, run.machine)}
    said |= {f"state {entry}": n for entry, n in Counter(state_of(run.scenario, run.machine)).items()}
    return {name: str(value) for name, value in said.items()}


def _cells(label: str, event_name: str, number: int) -> Answer:
    """The verdicts of all properties of one variant under one event at one size."""
    from workbench.checking.failures import FAILURES
    from workbench.lifecycle import EVENTS
    from workbench.measure.exploration.matrix import MAX_STATES, tasks, work
    from workbench.measure.variants import variants

    todo = tasks(variants([label]), [EVENTS[event_name]], tuple(FAILURES.values()), None, MAX_STATES)
    cells = work(todo[number])
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
