"""What a real KVM did in the same events, beside the simulation; from the measured files of the workbench."""

from __future__ import annotations

from workbench.errors import WorkbenchError
from workbench.measure.on_kvm.kvm_agreement import Agreement, beside
from workbench.measure.on_kvm.measured_file import MeasuredFile, all_measured_files
from workbench.present.post.asked import Asked
from workbench.present.post.lines import wrapped
from workbench.present.post.section import Section
from workbench.present.text.table import Cell, Column, Table, as_text
from workbench.protocols import is_from_file


def section(asked: Asked, words: str) -> Section:
    """Return a table for each host, what differs and why, and on what it was measured."""
    shipped = [one for one in asked.variants if not is_from_file(one.kind)]
    labels, events = [one.label for one in shipped], [event.name for event in asked.events]
    claims, blocks, same, of = [], [], 0, 0
    for found in all_measured_files():
        chosen = [one for one in found.events if one.protocol in labels and one.event in events]
        run = [one for one in beside(chosen, found.host["kernel"]) if not one.not_run]
        if run:
            claims.append(_claim(found, run))
            same, of = same + sum(not one.difference for one in run), of + len(run)
            blocks += [as_text(_table(found, run)), *_differing(run), _made(found)]
    if not blocks:
        raise WorkbenchError("no real KVM was measured with these designs and events; leave out the part measured")
    return Section("Model and machine", " ".join(claims), blocks, [("workbench kvm", *asked.subject(shipped))],
                   short=f"On a real KVM {same} of {of} runs end as simulated.")  # fmt: skip


def _claim(found: MeasuredFile, run: list[Agreement]) -> str:
    same = sum(not one.difference for one in run)
    explained = sum(bool(one.difference and one.known) for one in run)
    more = f"; {explained} of the others for a reason that is known" if explained else ""
    where = f"Linux {found.host['kernel']}, {found.host['module']}"
    return f"On a real KVM ({where}) every area ends as simulated in {same} of {len(run)} runs{more}."


def _table(found: MeasuredFile, run: list[Agreement]) -> Table:
    labels = list(dict.fromkeys(one.protocol for one in run))
    by = {(one.protocol, one.event): one for one in run}
    rows: list[list[Cell]] = []
    for event in dict.fromkeys(one.event for one in run):
        row: list[Cell] = [event]
        for label in labels:
            one = by.get((label, event))
            row += [one.simulated, one.measured] if one else ["-", "-"]
        rows.append(row)
    columns = [Column("event"), *(Column(name, label) for label in labels for name in ("simulated", "real KVM"))]
    vcpus = max(one.vcpus for one in found.events)
    return Table(f"The worst fate of any area, {vcpus} vCPUs", columns, rows)


def _differing(run: list[Agreement]) -> list[str]:
    return [
        wrapped(f"{one.protocol} under {one.event}: {one.difference}. {one.known or 'Not explained.'}", "  ")
        for one in run if one.difference
    ]  # fmt: skip


def _made(found: MeasuredFile) -> str:
    made = found.made
    said = (f"Measured, not simulated, on {made['date']} by workbench {made['workbench']}: {found.host['line']}.",
            f"Recorded by: {made['command']}")  # fmt: skip
    return "".join(wrapped(line, "  ") for line in said)
