"""The two designs side by side: a request in memory, and a value in a register."""

from __future__ import annotations

from workbench.core.steps import Exit, Load, Store
from workbench.measure.exploration.explore import Question, TraceRow
from workbench.measure.exploration.recording import of_run
from workbench.present.slides.sequence import Part, sequence
from workbench.present.slides.slide import Slide

FEATURE = "steal_time"


def slide() -> Slide:
    """Boot one vCPU that registers its steal time, under each design, up to the guest's first entry."""
    runs = {name: _registration(name) for name in ("generic", "per_feature")}
    pictures = "".join(sequence(f"{name}: registering {FEATURE}", [Part("", rows)]) for name, rows in runs.items())
    generic, per_feature = (_counts(rows) for rows in runs.values())
    return Slide(
        "How can the guest tell where the area is?",
        f'<div class="beside">{pictures}</div>',
        f"generic puts a request into memory ({generic}); per_feature puts the address into a register "
        f"({per_feature}).",
        f"workbench page trace generic per_feature --events boot --features {FEATURE} -o designs.html",
    )


def _registration(protocol: str) -> list[TraceRow]:
    rows = of_run(Question.of(protocol, "boot", [FEATURE])).rows
    started, entered, *_ = (at for at, row in enumerate(rows) if row.side == "event")
    return list(rows[started:entered])


def _counts(rows: list[TraceRow]) -> str:
    loads, stores, exits = (sum(isinstance(row.own_step, kind) for row in rows) for kind in (Load, Store, Exit))
    named = ((loads, "load"), (stores, "store"), (exits, "exit"))
    return ", ".join(f"{count} {word}{'' if count == 1 else 's'}" for count, word in named)
