"""Tables of words as views: what each register does with each kind of value; simulated beside measured."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from workbench.core.vcpu import Host
from workbench.engines.kvm.survey import Case, cases
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.on_kvm import kvm_agreement, measured_file
from workbench.measure.on_kvm.kvm_agreement import Agreement
from workbench.present.figures.style import FATE_TONES
from workbench.present.text import on_kvm
from workbench.present.text.register_writes import COLUMNS, write_row, writes
from workbench.present.text.table import Column, Table, as_text
from workbench.present.trial import Trial
from workbench.present.web.comparison import FATES
from workbench.present.web.failure_map import in_groups, what_happens
from workbench.present.web.view import View

HINT = "Point at a cell, or go from cell to cell with the arrow keys: it is explained here."
NOT_ENABLED = "aligned, not enabled"  #: a kind of value in the survey
#: What a register does with a value: the word, what it means, how it looks.
ACTIVE, ACCEPTED, OFF, SILENT, REFUSED, KEPT = "active", "accepted", "off", "silent", "refused", "refused, kept"
_MEANINGS = {
    ACTIVE: "accepted, and the host's next update arrives",
    ACCEPTED: "accepted; the register holds a value, no area",
    OFF: "accepted, and by this value nothing is to be served",
    SILENT: "accepted, and nothing ever arrives",
    REFUSED: "a fault; the register keeps its old value",
    KEPT: "a fault, and the register holds what was refused",
}
_TONES = {ACTIVE: "good", ACCEPTED: "good", OFF: "plain", SILENT: "warn", REFUSED: "plain", KEPT: "bad"}
#: What the plain numbers of the survey are for a register that holds a value.
_NUMBERS = {
    ("POLL_CONTROL", 0): "zero", ("POLL_CONTROL", 1): "a valid number", ("POLL_CONTROL", 2): "out of range",
    ("ASYNC_PF_INT", 0): "zero", ("ASYNC_PF_INT", 0xF3): "a valid number", ("ASYNC_PF_INT", 0x100): "out of range",
    ("ASYNC_PF_ACK", 0): "zero", ("ASYNC_PF_ACK", 1): "a valid number", ("ASYNC_PF_ACK", (1 << 64) - 1): "all ones",
}  # fmt: skip


def register_map(host: Host | None = None) -> View:
    """Return what each of KVM's registers does with each kind of value, each tried on a machine of its own."""
    tried = list(cases())
    kinds = list(dict.fromkeys(_kind(case) for case in tried))
    registers = list(dict.fromkeys(case.register for case in tried))
    found = {(case.register, _kind(case)): _tried(case, host or Host()) for case in tried}
    rows: list[dict[str, Any]] = []
    for register in registers:
        cells = [found.get((register, kind)) for kind in kinds]
        said = {cell["word"] for cell in cells if cell is not None}
        rows.append({"name": register, "cells": cells, "differs": bool(said & {SILENT, KEPT})})
    quiet, kept = ([row["name"] for row in rows if _has(row, word)] for word in (SILENT, KEPT))
    table = Table(
        "What each register does with each kind of value",
        [Column("register"), *(Column(kind) for kind in kinds)],
        [[row["name"], *(cell["word"] if cell else "" for cell in row["cells"])] for row in rows],
        notes=[f"{word}: {meaning}." for word, meaning in _MEANINGS.items()],
    )
    text = as_text(table)
    data = {
        "title": "What each register does with each kind of value",
        "answer": f"Accepted, and nothing arrives: {', '.join(quiet)}. Refused, yet kept: {', '.join(kept) or 'none'}.",
        "corner": "register",
        "columns": kinds,
        "rows": rows,
        "only": "only registers that are silent, or keep what they refuse (marked at the left)",
        "meanings": _MEANINGS,
        "tones": _TONES,
        "hint": HINT,
        "file": "registers",
        **_map_again(host or Host()),
        "text": text,
    }
    return View("words", data, text)


def _map_again(host: Host) -> dict[str, str]:
    """Return what gives the map again, for the hosts that a command line can name."""
    option, argument = ("", "") if host.irqchip else (" --no-irqchip", "Host(irqchip=False)")
    if host != Host(irqchip=host.irqchip):
        return {}
    more = "from workbench.core.vcpu import Host\n" if argument else ""
    return {
        "command": f"workbench page registers{option} -o registers.html",
        "python": f"{more}from workbench.present.web import register_map\n\nregister_map({argument})\n",
    }


#: How the words of a write look; numbers have no look.
_WRITE_TONES = {"handled": "good", "fault": "plain", "unknown": "warn", "nothing": "plain", "yes": "good", "no": "warn"}


def register_writes(done: Sequence[tuple[str, int]], **circumstances: Any) -> View:
    """Return what came of successive writes of (register, value) on one machine; ``circumstances`` are Trial's."""
    table = writes(done, "Writes to KVM's registers, one after the other", **circumstances)
    columns = COLUMNS[1:]
    rows: list[dict[str, Any]] = [
        {"name": str(register), "cells": [{"word": str(word)} for word in words]} for register, *words in table.rows
    ]
    arrived = sum(row[-1] == "yes" for row in table.rows)
    text = as_text(table)
    data = {
        "title": table.title,
        "answer": f"{arrived} of {len(rows)} writes led to an area that the host updates.",
        "corner": COLUMNS[0],
        "columns": columns,
        "rows": rows,
        "meanings": {},
        "tones": {cell["word"]: _WRITE_TONES.get(cell["word"], "none") for row in rows for cell in row["cells"]},
        "hint": "".join(table.notes),
        "file": "writes",
        "text": text,
    }
    return View("words", data, text)


def _has(row: dict[str, Any], word: str) -> bool:
    return any(cell is not None and cell["word"] == word for cell in row["cells"])


def _kind(case: Case) -> str:
    """Return what kind of value a case is about; registers that hold no address are tried with plain numbers."""
    return _NUMBERS.get((case.register, case.value), case.kind) if case.kind.startswith("0x") else case.kind


def _tried(case: Case, host: Host) -> dict[str, str]:
    """Return the cell of a case."""
    _, written, outcome, reads, serves, arrives = write_row(Trial("per_feature", host=host), case.register, case.value)
    if outcome != "handled":
        word = KEPT if reads == written and case.value else REFUSED
    elif arrives == "yes":
        word = ACTIVE
    elif case.value == 0 or case.kind == NOT_ENABLED:
        word = OFF
    else:
        word = ACCEPTED if serves == "-" else SILENT
    why = f"WRMSR {written}: {outcome}; the register reads {reads}"
    if serves != "-":
        why += f"; the host serves {serves}; an update arrives: {arrives}"
    return {"word": word, "why": f"{why}."}


def simulated_and_measured(lines: Sequence[Agreement], host: str, again: Mapping[str, str] | None = None) -> View:
    """Return what became of the areas by the simulator and by a real KVM, side by side.

    ``again``: the ``command`` line and the ``python`` that give it again, if there are some.
    """
    protocols = list(dict.fromkeys(line.protocol for line in lines))
    by_key = {(line.event, line.protocol): line for line in lines}
    events = in_groups(choose_event(name) for name in dict.fromkeys(line.event for line in lines))
    rows = []
    for event in events:
        own = [by_key[event.name, protocol] for protocol in protocols if (event.name, protocol) in by_key]
        rows.append(
            {
                "name": event.name,
                "group": event.group,
                "what": what_happens(event),
                "cells": [cell for protocol in protocols for cell in _pair(by_key.get((event.name, protocol)))],
                "differs": any(line.difference for line in own),
            }
        )
    run = [line for line in lines if not line.not_run]
    same = sum(not line.difference for line in run)
    text = as_text(on_kvm.words(lines, host))
    data: dict[str, Any] = {
        "title": host,
        "answer": f"The words of every area are the same in {same} of {len(run)} runs.",
        "corner": "event",
        "columns": [f"{protocol}: {side}" for protocol in protocols for side in ("simulated", "measured")],
        "rows": rows,
        "only": "only where they differ (marked at the left)",
        "meanings": {**FATES, "not run": "this engine cannot run it"},
        "tones": {**FATE_TONES, "not run": "none"},
        "hint": HINT,
        "file": "simulated-and-measured",
        **(again or {}),
        "text": text,
    }
    return View("words", data, text)


def recorded() -> View:
    """Return the same of the newest measured file that the project keeps."""
    found = measured_file.all_measured_files()[-1]
    lines = kvm_agreement.beside(found.events, found.host["kernel"])
    again = {
        "command": "workbench page measured -o measured.html",
        "python": "from workbench.present.web import recorded\n\nrecorded()\n",
    }
    where = f"Linux {found.host['kernel']}, {found.host['module']}"
    return simulated_and_measured(lines, f"Simulated, and measured on a real KVM ({where})", again)


def _pair(line: Agreement | None) -> Iterable[dict[str, str] | None]:
    """Return the two cells of one run."""
    if line is None:
        return None, None
    exits = f"{line.simulated_register_exits} exits for registers, by the simulator."
    if line.not_run:
        why = f"Not run: {line.not_run}."
    else:
        why = f"{line.measured_user_exits} exits to the VMM, counted where KVM_RUN came back."
        if line.difference:
            why += f" Different: {line.difference}. " + (f"Known: {line.known}." if line.known else "NOT KNOWN.")
    return {"word": line.simulated, "why": exits}, {"word": line.measured, "why": why}


__all__ = ["recorded", "register_map", "register_writes", "simulated_and_measured"]
