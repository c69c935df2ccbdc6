"""The golden failure matrix of the designs that ship beside the two of the question, and the rows of docs/designs.md.

    python -m tests.measure.golden_designs [DESIGN | EVENT ...]

explores the designs and events (those named; the others keep their rows), writes tests/golden/designs.csv and puts the
verdicts into docs/designs.md; read the diff before you commit it. It takes a minute or more for each design, in as many
processes as there are CPUs, at most 4, and says how far it is.
"""

import csv
import io
import os
import sys
from pathlib import Path

from tests.protocols.designs import DESIGNS
from workbench.checking.failures import FAILURES
from workbench.history import CASES
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.matrix import Task, matrix, sizes_for
from workbench.measure.variants import variant
from workbench.present.progress import Progress
from workbench.present.records import as_csv

ROOT = Path(__file__).resolve().parents[2]
GOLDEN = ROOT / "tests" / "golden" / "designs.csv"
CARDS = ROOT / "docs" / "designs.md"
#: The features of a design without an ABI of its own: few, so that all designs are explored at like sizes.
SMALL = ("steal_time", "kvmclock")
MAX_STATES = 300_000
#: Explored by every run of the tests.
QUICK = ("boot",)
COLUMNS = ("protocol", "event", "property", "verdict", "states", "steps", "vcpus", "features", "violators")


def tasks(name, events=tuple(EVENTS)):
    """One task for each event and size of a design."""
    one, codes = variant(name), tuple(FAILURES)
    own = one.kind.own_features or SMALL
    return [
        Task(one, EVENTS[event], size, codes, MAX_STATES)
        for event in events
        for size in sizes_for(EVENTS[event], own)
        if size.vcpus >= EVENTS[event].min_vcpus
    ]


def explored(names, events=tuple(EVENTS), jobs=1):
    """The records of these designs: one for each failure, and one for each event with the properties that hold."""
    more = [task for name in names for task in tasks(name, events)]
    say = Progress()

    def progress(done, of, task):
        say(f"{done} of {of}: {task.variant.label} under {task.event.name}, {task.size}")

    return told(matrix(list(names), (), more=more, max_states=MAX_STATES, jobs=jobs, traces=False, progress=progress))


def told(cells):
    """What neither holds nor is not exercised has a record of its own; those that hold stand in one, by their codes."""
    found, holding = [], {}
    for cell in cells:
        record = {column: str(value) if (value := cell.record().get(column)) else "" for column in COLUMNS}
        holding.setdefault((cell.protocol, cell.event), []).extend([cell.property] * (cell.verdict == "HOLDS"))
        if cell.verdict not in ("HOLDS", "NOT EXERCISED"):
            found.append(record)
    for (protocol, event), codes in holding.items():
        found.append(dict.fromkeys(COLUMNS, "") | {
            "protocol": protocol, "event": event, "property": " ".join(codes), "verdict": "HOLDS",
        })  # fmt: skip
    order = list(EVENTS)
    return sorted(found, key=lambda one: (order.index(one["event"]), one["verdict"] == "HOLDS", one["property"]))


def golden():
    return list(csv.DictReader(io.StringIO(GOLDEN.read_text()))) if GOLDEN.exists() else []


def failing(records, name):
    """{failure: events under which a design fails it}, in the order of the catalogue."""
    found = {}
    for code in FAILURES:
        events = [one["event"] for one in records if (one["protocol"], one["property"]) == (name, code)
                  and one["verdict"] == "FAILS"]  # fmt: skip
        if events:
            found[code] = events
    return found


def rows(records, name):
    """The rows of a card: each failure that a design has, by its public name, and the events under which it has it."""
    table = ["| fails in | under |", "| --- | --- |"]
    found = failing(records, name)
    table += [f"| {FAILURES[code].title} | {', '.join(events)} |" for code, events in found.items()]
    return "\n".join([*(table if found else ["It fails in nothing."]), *history_of(name)])


def history_of(name):
    """A line with the real bugs of a design's system: those whose models are the design or derived from it."""
    kind = variant(name).kind
    own = [f"{' '.join(case.bugs)} ({case.title})" for case in CASES if issubclass(case.broken.kind, kind)]
    return ["", f"[Real bugs](history.md#cases) of this design: {'; '.join(own)}."] if own else []


def with_rows(text, records):
    """The page with the rows of each design that has records between its marks."""
    for name in dict.fromkeys(one["protocol"] for one in records):
        begin, end = f"<!-- verdicts of {name} -->\n", f"<!-- end of {name} -->"
        if begin in text:
            head, _, rest = text.partition(begin)
            text = head + begin + rows(records, name) + "\n" + end + rest.partition(end)[2]
    return text


def main():
    events = [name for name in EVENTS if name in sys.argv[1:]]
    named = [name for name in DESIGNS if name in sys.argv[1:]] or list(DESIGNS)
    kept = [one for one in golden() if one["protocol"] in DESIGNS]
    for name in named:
        new = explored([name], tuple(events or EVENTS), jobs=min(os.cpu_count() or 1, 4))
        gone = [one for one in kept if one["protocol"] == name and (not events or one["event"] in events)]
        kept = [*(one for one in kept if one not in gone), *new]
        orders = list(DESIGNS), list(EVENTS)
        kept.sort(key=lambda one: (orders[0].index(one["protocol"]), orders[1].index(one["event"])))
        GOLDEN.write_text(as_csv(kept))
        CARDS.write_text(with_rows(CARDS.read_text(), kept))
        print(f"wrote {name} to {GOLDEN} and {CARDS}")


if __name__ == "__main__":
    main()
