"""Version skew as text: a table for each part, what is behind each loss, and the steps of one run as a diagram."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import wrap
from typing import Any

from workbench.core.event_steps import NewHost, OnHost
from workbench.core.scenario import Scenario
from workbench.core.steps import Note
from workbench.measure.exploration.ending import ending_of
from workbench.measure.skew.aged import VM_STOPPED
from workbench.measure.skew.combinations import PARTS
from workbench.measure.skew.happens import STREAM_REFUSED, deliver_on, enter_on, refuse
from workbench.measure.skew.run import MEANING, Ran
from workbench.measure.skew.table import BAD, Cell, Row, cells
from workbench.present.text.command_line import command_lines
from workbench.present.text.table import WIDTH, Column, Table, as_text
from workbench.present.text.trace import diagram, ending_text, where
from workbench.printable import ascii_only

Cells = Mapping[tuple[str, str, str], Cell]
#: What the names of a combination mean.
NAMES = (
    "guest/kernel/VMM. old guest: knows nothing of it; new: asks if CPUID offers it; blind: asks in any case.",
    "old kernel: claims nothing (#GP); ignore: the same, ignore_msrs=1; type: knows the call, not this type of area.",
    "old VMM: does not know the exit, the CPUID bit, the state. +kernel/VMM: the machine moves there.",
    "revoked, crashed: a new guest kernel that an old one follows, after it has revoked, or has not.",
    "hidden: CPUID does not offer it; claimed: it offers what is not known; enforced: what is hidden does not exist.",
    "short, long: the struct without and with the newest field, of guest/host; padding: it takes the place of padding.",
)
#: What host calls are, from their arguments without the scenario.
_HOST_CALLS: dict[Any, str] = {
    enter_on: "vCPU {0} enters the guest", deliver_on: "an update of {1} comes for vCPU {0}",
    refuse: "VMM there: reads the stream",
}  # fmt: skip
_ALIKE = "...: so do those that stand below it in the output of workbench skew."
_NOTES = {VM_STOPPED: "VMM: unknown exit reason, the VM stops", STREAM_REFUSED: "VMM there: refuses the stream"}


def skew_text(found: Sequence[Row]) -> str:
    """Return the tables, what the words mean, and behind each loss what was seen and the command that shows it."""
    several = cells(found)
    parts = [table(several, part) for part in dict.fromkeys(row.part for row in found)]
    words = [word for word in MEANING if any(cell.verdict == word for cell in several.values())]
    legend = [f"{word}: {MEANING[word]}" for word in words]
    if any(len(cell.counts) > 1 for cell in several.values()):
        legend.append("a number behind a word: of so many features, each tried alone")
    told = "\n".join(line for text in (*NAMES, *legend) for line in wrapped(text, "  "))
    return "\n".join([*parts, f"{told}\n", *reasons(found)])


def table(several: Cells, part: str, *, short: bool = False) -> str:
    """Return the table of one part; ``short``: combinations that go alike with each design share a row."""
    protocols = list(dict.fromkeys(protocol for _, _, protocol in several))
    names = list(dict.fromkeys(name for one, name, _ in several if one == part))
    rows = [[name, *(several[part, name, one].text for one in protocols)] for name in names]
    columns = [Column("guest/host" if part == "size" else "guest/kernel/VMM"), *(Column("", one) for one in protocols)]
    merged = _merged(rows, short)
    notes = [_ALIKE] if any(row[0].endswith(" ...") for row in merged) else []
    return as_text(Table(f"Version skew: {PARTS[part][0]}", columns, merged, notes=notes))


def _merged(rows: list[list[Any]], short: bool) -> list[list[Any]]:
    """Return the rows; those of the old guest are one if all say the same, and with ``short`` all equal neighbours."""
    found: list[list[Any]] = []
    for row in rows:
        alike = found and found[-1][1:] == row[1:]
        if alike and row[0].startswith("old/") and found[-1][0].startswith("old/") and "+" not in row[0]:
            found[-1][0] = "old/any/any"
        elif alike and short:
            found[-1][0] = f"{found[-1][0].removesuffix(' ...')} ..."
        else:
            found.append(list(row))
    return found


def reasons(found: Sequence[Row], *, commands: bool = True) -> list[str]:
    """Return, for each design, a block of what is behind its losses: what was seen, where, and the command."""
    blocks = []
    for protocol in dict.fromkeys(row.protocol for row in found):
        grouped: dict[tuple[str, str], list[Row]] = {}
        for row in found:
            if row.protocol == protocol and row.verdict in BAD:
                grouped.setdefault((row.verdict, row.why), []).append(row)
        lines = wrapped(f"{protocol}: what is behind lost and worse", "")
        for (verdict, why), own in grouped.items():
            lines += wrapped(f"{verdict}, {why}: {', '.join(dict.fromkeys(row.combination for row in own))}", "  ")
            lines += wrapped(f"for example: {own[0].seen}", "    ") if commands else []
            lines += command_lines(_pieces(own[0].command), "    $ ") if commands else []
        if grouped:
            blocks.append("\n".join(lines) + "\n")
    return blocks


def _pieces(command: str) -> list[str]:
    """Return a command in the pieces between which its line may be broken: each option with its value."""
    first, *rest = command.replace(" --", "\n--").split("\n")
    return [first, *rest]


def trace_text(ran: Ran) -> str:
    """Return one run: its verdict, its steps as a sequence diagram, and how it ends."""
    heading = f"{ran.variant.label}, {ran.feature.name}, {ran.what}: {ran.verdict}"
    lines = [*wrapped(heading, ""), *wrapped(ran.what.said, "  "), *wrapped(ran.judged.seen, "  ")]
    if not ran.rows or ran.question is None:
        return "\n".join(lines) + "\n"
    failure = ran.judged.failure
    end = None if failure is None else ending_of(ran.question, ran.rows, failure)
    texts = [step_said(row) for row in ran.rows]
    drawn = diagram(ran.rows, None if end is None else end.since, texts) + where(ran.question.places(ran.rows))
    told = "" if end is None or failure is None else ending_text(failure, end)
    return "\n".join([*lines, ""]) + f"\n{drawn}{told}"


def step_said(row: Any) -> str:
    """Return the text of a step; of a new host only its ages."""
    own = row.own_step
    if isinstance(own, NewHost):
        ages = dict(own.changes)
        return f"new host: kernel {ages['kernel']}, VMM {ages['vmm_age']}"
    if isinstance(own, OnHost) and own.program.function in _HOST_CALLS:
        arguments = [one for one in own.program.arguments if not isinstance(one, Scenario)]
        return _HOST_CALLS[own.program.function].format(*arguments)
    if isinstance(own, Note) and own.key in _NOTES:
        return _NOTES[own.key]
    return str(row.text)


def trace_record(ran: Ran) -> dict[str, Any]:
    """Return one run as a record, with its steps."""
    return {
        "protocol": ran.variant.label, "feature": ran.feature.name, "combination": str(ran.what),
        "verdict": ran.verdict, "seen": ran.judged.seen, "failures": list(ran.codes),
        "steps": [{"side": row.side, "cpu": row.cpu, "step": step_said(row)} for row in ran.rows],
    }  # fmt: skip


def wrapped(text: str, indent: str) -> list[str]:
    """Return lines of a text, each behind ``indent``, those that go on behind two columns more."""
    return wrap(ascii_only(text), WIDTH, initial_indent=indent, subsequent_indent=indent + "  ",
                break_on_hyphens=False, break_long_words=True)  # fmt: skip


__all__ = ["reasons", "skew_text", "step_said", "table", "trace_record", "trace_text", "wrapped"]
