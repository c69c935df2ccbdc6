"""The verdicts that change with each other reading of the 2011 patch, and the table of docs/readings.md.

    python -m tests.measure.golden_readings [READING ...]

explores ``generic`` as we read the patch and with each switch (those named; the others keep their rows), writes
tests/golden/readings.csv and docs/readings.md; read the diff before you commit it. It takes a minute or two for each.
"""

import csv
import io
import os
import sys
from pathlib import Path

from workbench.checking.failures import FAILURES
from workbench.engines.explore import FAILS
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.exploration.mitigations import changes
from workbench.measure.variants import variant
from workbench.present.progress import Progress
from workbench.present.records import as_csv
from workbench.present.text.table import Column, Table, as_markdown
from workbench.protocols._readings import ALL_READINGS

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "readings.csv"
PAGE = ROOT / "docs" / "readings.md"
COLUMNS = ("reading", "event", "property", "before", "after")
#: A feature of the kernel, one of user space, and the one that needs a vector.
SIZES = tuple(Size(1, (name,)) for name in ("steal_time", "watchdog", "async_pf"))
TWO = (Size(2, ("steal_time",)),)  #: for events that need another vCPU
HEAD = """\
# Other readings of the 2011 patch

Written by `python -m tests.measure.golden_readings`; a test compares.

The patch leaves open what clauses R9 to R18 of `workbench/protocols/generic.py` say; there we took one reading of each.
The other patches of its series would settle them ([decision 0002](decisions/0002-what-the-2011-patch-leaves-open.md)).
Each other reading is a switch, which every command takes in the design's name, as in `generic+refuse-second`; "all
mitigations" never means a reading. The last two columns are from runs: `generic` with the switch against `generic`
without, under every event, with one vCPU and steal time, the watchdog or async page fault; where an event needs two
vCPUs, with two and steal time. What only begins or ceases to be exercised is in `tests/golden/readings.csv`.
"""


def found_with(name, events=tuple(EVENTS), jobs=1, before=None):
    """The records of the verdicts that change with a reading, in the order of the matrix."""
    cells = explored("generic", events, jobs) if before is None else before
    found = [
        {"reading": name, "event": one.event, "property": one.property, "before": one.before, "after": one.after}
        for one in changes(cells, explored(f"generic+{name}", events, jobs))
    ]
    return sorted(found, key=order)


def order(one):
    return list(ALL_READINGS).index(one["reading"]), list(EVENTS).index(one["event"]), one["property"]


def explored(label, events, jobs):
    say = Progress()

    def progress(done, of, task):
        say(f"{done} of {of}: {task.variant.label} under {task.event.name}, {task.size}")

    found = []
    for sizes, needs_more in ((SIZES, False), (TWO, True)):
        chosen = [EVENTS[event] for event in events if (EVENTS[event].min_vcpus > 1) == needs_more]
        if chosen:
            found += matrix([variant(label)], chosen, sizes=sizes, jobs=jobs, traces=False, progress=progress)
    return found


def golden():
    return list(csv.DictReader(io.StringIO(GOLDEN.read_text()))) if GOLDEN.exists() else []


def page(records):
    """The page: one row for each reading."""
    heads = ("clause", "switch", "reading", "would be settled by", "fails then", "fails no longer")
    rows = [
        [one.clause, f"`{name}`", one.says, one.settled_by]
        + [turns(records, name, side) for side in ("after", "before")]
        for name, one in ALL_READINGS.items()
    ]
    return HEAD + "\n" + as_markdown(Table("Readings", [Column(head) for head in heads], rows))


def turns(records, name, side):
    """The failures that a design has on one side only, each with the events."""
    other = {"after": "before", "before": "after"}[side]
    found = {}
    for one in records:
        if one["reading"] == name and one[side] == FAILS != one[other]:
            found.setdefault(FAILURES[one["property"]].title, []).append(one["event"])
    return "; ".join(f"{title} ({', '.join(events)})" for title, events in found.items()) or "-"


def main():
    named = sys.argv[1:] or list(ALL_READINGS)
    jobs = min(os.cpu_count() or 1, 4)
    kept = [one for one in golden() if one["reading"] in ALL_READINGS and one["reading"] not in named]
    before = explored("generic", tuple(EVENTS), jobs)
    for name in named:
        kept = [*(one for one in kept if one["reading"] != name), *found_with(name, jobs=jobs, before=before)]
        kept.sort(key=order)
        GOLDEN.write_text(as_csv([{column: one[column] for column in COLUMNS} for one in kept]))
        PAGE.write_text(page(kept))
        print(f"wrote {name} to {GOLDEN} and {PAGE}")


if __name__ == "__main__":
    main()
