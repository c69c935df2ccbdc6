"""List the cells of the golden matrix whose verdict differs from that of an earlier commit, for CHANGELOG.md.

    python -m tests.measure.changed_cells REVISION

One entry for each property and change; its events by protocol, or all but some. Cells that fail under a property that
did not exist at the revision are listed after them. Why each changed is in WHY.
"""

import csv
import io
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from textwrap import fill

from workbench.checking.failures import FAILURES

GOLDEN = "tests/golden/matrix.csv"
ROOT = Path(__file__).resolve().parents[2]
ALONE = "the second vCPU of the sizes explored now, which boots as usual, registers, and its payload arrives"
MAY = "the host may refuse everything that this guest asks for"
#: (property, verdict now) -> the reason.
WHY = {
    ("F01", "NOT EXERCISED"): "no memory of an area gets a new owner",
    ("F02", "NOT EXERCISED"): "at no time does the guest believe an area registered that the host has served",
    ("F03", "NOT EXERCISED"): "what is not believed registered, on an idle machine, is a value that nobody has set",
    ("F04", "NOT EXERCISED"): "when the machine is idle, the guest believes nothing registered",
    ("F04", "FAILS"): "migration control is in a default size now, and the VMM that does not listen refuses it",
    ("F05", "NOT EXERCISED"): "no descriptor changes while its handler runs; without descriptors, there is none",
    ("F06", "NOT EXERCISED"): "no vCPU reads another's payload",
    ("F07", "NOT EXERCISED"): "the guest asks for no area that sticks out of the memory made for it",
    ("F07", "FAILS"): "an area of kvmclock that crosses a page, or the wall clock at the last addresses, is explored "
    "now, on host pages that are not neighbours",
    ("F08", "NOT EXERCISED"): "no guest asks for more areas than a kernel needs",
    ("F09", "NOT EXERCISED"): "no registration is restored",
    ("F10", "NOT EXERCISED"): "no registration is restored",
    ("F11", "NOT EXERCISED"): "when the machine is idle, guest and host agree on no area",
    ("F12", "NOT EXERCISED"): "no vCPU's area is served while another's program runs",
    ("F13", "NOT EXERCISED"): "no descriptor of an encrypted guest is read",
    ("F14", "NOT EXERCISED"): "no descriptor of a 32-bit guest is read",
    ("F15", "NOT EXERCISED"): "no area moves",
    ("F15", "FAILS"): "the wall clock is explored alone with two vCPUs now, and its damaged address is served",
    ("F16", "NOT EXERCISED"): "no call is refused",
    ("F16", "FAILS"): "what the guest takes for a refusal (a result in memory that is gone, or that the area "
    "overwrites) leaves the area in the registry, and registries are looked at now",
    ("F17", "NOT EXERCISED"): "fewer than two areas, and no area beside a descriptor, are served",
    ("S01", "HOLDS"): ALONE,
    ("S02", "HOLDS"): ALONE,
    ("S01", "NOT EXERCISED"): MAY,
    ("S02", "NOT EXERCISED"): MAY,
}


def verdicts(text):
    """Return the verdicts of a golden file by (protocol, event, property)."""
    rows = csv.DictReader(io.StringIO(text))
    return {(row["protocol"], row["event"], row["property"]): row["verdict"] for row in rows}


def changed(before, now):
    """Return {(property, verdict before, verdict now): {protocol: [event, ...]}}; the first verdict may be "new"."""
    known = {code for _, _, code in before}
    events = {event for _, event, _ in before}
    found = defaultdict(lambda: defaultdict(list))
    for (protocol, event, code), verdict in now.items():
        if event in events:
            was = before.get((protocol, event, code), "new")
            if verdict != was and (code in known or verdict == "FAILS"):
                found[code, was, verdict][protocol].append(event)
    return found


def told(events, every):
    """Return events as text: all but some, if that is shorter."""
    rest = [event for event in every if event not in events]
    if not rest:
        return "every event"
    return f"every event but {', '.join(rest)}" if len(rest) < len(events) else ", ".join(events)


def listing(before, now):
    """Return the list as Markdown."""
    every = list(dict.fromkeys(event for _, event, _ in before))
    lines = []
    for (code, was, verdict), protocols in sorted(changed(before, now).items()):
        what = f"{FAILURES[code].title} ({code})"
        head = f"new, {verdict}" if was == "new" else f"{was} to {verdict}, because {WHY[code, verdict]}"
        where = "; ".join(f"{protocol}: {told(events, every)}" for protocol, events in protocols.items())
        lines.append(fill(f"* {what}, {head}. {where}.", 118, subsequent_indent="  ", break_on_hyphens=False))
    return "\n".join(lines) + "\n"


def main(revision):
    then = subprocess.run(["git", "show", f"{revision}:{GOLDEN}"], cwd=ROOT, capture_output=True, text=True, check=True)
    sys.stdout.write(listing(verdicts(then.stdout), verdicts((ROOT / GOLDEN).read_text())))


if __name__ == "__main__":
    main(*sys.argv[1:])
