"""The golden failure matrix, and golden traces worth showing to the designs' authors.

    python -m tests.measure.golden_matrix [EVENT ...]

writes tests/golden/matrix.csv, tests/golden/violations.csv and tests/golden/traces/*.txt again; with events, the rows
of these alone. Read the diff before you commit it.
"""

import csv
import io
import os
import sys
from pathlib import Path

from workbench.checking.failures import FAILURES
from workbench.engines.explore.vm import Bounds
from workbench.features import choose as choose_features
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.ending import ending
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.matrix import matrix
from workbench.measure.variants import variant, variants
from workbench.present.records import as_csv
from workbench.present.text.trace import diagram, ending_text, where

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
MATRIX = GOLDEN / "matrix.csv"
VIOLATIONS = GOLDEN / "violations.csv"
TRACES = GOLDEN / "traces"

#: Explored by every run of the tests; the whole matrix only by the slow tests.
QUICK = ("ignore-msrs", "descriptor-race")

#: protocol, event, features, vCPUs, failure
MUST_HAVE = (
    ("generic", "descriptor-race", "steal_time", 2, "F05"),
    ("generic", "migrate", "steal_time", 1, "F02"),
    ("generic", "kexec-no-teardown", "steal_time", 1, "F01"),
    ("generic", "ignore-msrs", "steal_time", 1, "F04"),
    ("generic", "memslot-return", "steal_time", 1, "F04"),
    ("per_feature", "kexec-no-teardown", "steal_time", 1, "F01"),
    ("per_feature", "migrate", "wall_clock", 1, "F10"),
    ("per_feature", "double-registration-crossing", "kvmclock", 1, "F15"),
    ("per_feature", "hostile-bad-base", "async_pf", 1, "F16"),
)


def explored(events=tuple(EVENTS), jobs=1):
    """Explore these events for both designs; the cells in the order of the matrix."""
    return matrix(variants(["generic", "per_feature"]), [EVENTS[name] for name in events], jobs=jobs)


def records(found):
    return [cell.record() for cell in found]


def violations(found):
    """A record for each feature that violates a property, at each size, with the shortest trace to it."""
    return [
        {"protocol": cell.protocol, "event": cell.event, "property": cell.property, "name": cell.name} | one._asdict()
        for cell in found
        for one in cell.violators
    ]


def question(protocol, event, features, vcpus):
    return Question(variant(protocol), EVENTS[event], choose_features(features.split(",")), vcpus, Bounds())


def trace_file(case):
    protocol, event, _, _, code = case
    return TRACES / f"{protocol}-{event}-{code}.txt"


def trace_text(case):
    protocol, event, features, vcpus, code = case
    failure = FAILURES[code]
    exploration = explore_question(question(protocol, event, features, vcpus), [failure])
    rows = exploration.trace(failure)
    result, end = exploration.result, ending(exploration, failure)
    head = (
        f"{protocol} under {event} ({vcpus} vCPU{'s' if vcpus > 1 else ''}, {features})\n"
        f"{failure.title} ({code}): {len(rows)} steps\n"
        f"{result.states} states, {result.transitions} transitions, depth {result.depth}\n\n"
    )
    return head + diagram(rows, end.since) + where(exploration.question.places(rows)) + ending_text(failure, end)


def replaced(path, new, events):
    """The rows of a file with those of ``events`` replaced by the records ``new``, in the order of the matrix."""
    header = list(new[0])
    kept = [row for row in csv.DictReader(io.StringIO(path.read_text())) if row["event"] not in events]
    rows = [*kept, *csv.DictReader(io.StringIO(as_csv(new)))]
    designs, order = list(dict.fromkeys(row["protocol"] for row in rows)), list(EVENTS)
    rows.sort(key=lambda row: (designs.index(row["protocol"]), order.index(row["event"])))
    return as_csv([{name: row[name] for name in header} for row in rows])


def main():
    named = tuple(sys.argv[1:])
    found = explored(named or tuple(EVENTS), jobs=min(os.cpu_count() or 1, 4))
    for path, new in ((MATRIX, records(found)), (VIOLATIONS, violations(found))):
        if new:
            path.write_text(replaced(path, new, named) if named else as_csv(new))
    print(f"wrote {MATRIX} and {VIOLATIONS}")
    if named:
        return
    TRACES.mkdir(exist_ok=True)
    for case in MUST_HAVE:
        trace_file(case).write_text(trace_text(case))
        print(f"wrote {trace_file(case)}")


if __name__ == "__main__":
    main()
