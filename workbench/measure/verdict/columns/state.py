"""What a migration must carry."""

from __future__ import annotations

from workbench.measure.comparison.metrics import is_new
from workbench.measure.verdict.asked import Asked, Cell, Column
from workbench.measure.verdict.law import SIZES, law

_FEW = SIZES[0]


def _state(asked: Asked) -> Cell:
    found = law(lambda vcpus: sum(entry.wire_bytes for entry in asked.run("boot", vcpus).state))
    seen = f"bytes on the wire after boot: {', '.join(map(str, found.counts))} at {', '.join(map(str, SIZES))} vCPUs"
    command = asked.command("compare", "--events boot", "--metrics state_bytes", f"--vcpus {_FEW}")
    return Cell(str(found), found.at_large, seen, command)


def _lost(asked: Asked) -> Cell:
    found = law(lambda vcpus: sum(e.wire_bytes for e in asked.run("boot", vcpus).state if not e.carried))
    seen = f"of these no migration carries {', '.join(map(str, found.counts))} at {', '.join(map(str, SIZES))} vCPUs"
    metrics = "--metrics state_bytes,state_carried_bytes"
    return Cell(str(found), found.at_large, seen, asked.command("compare", "--events boot", metrics, f"--vcpus {_FEW}"))


def _invent(asked: Asked) -> Cell:
    entries = asked.run("boot", _FEW).state
    made = {entry.interface for entry in entries if is_new(entry)}
    existing = sorted({entry.interface for entry in entries if not is_new(entry)})
    seen = f"interfaces that exist: {', '.join(existing) or 'none'}; to be made: {len(made)}"
    metrics = "--metrics state_interfaces,state_new_interfaces"
    return Cell(str(len(made)), len(made), seen, asked.command("compare", "--events boot", metrics, f"--vcpus {_FEW}"))


COLUMNS = (
    Column("state", "bytes of registration state of V vCPUs", "migration", _state),
    Column("lost", "of these, what no migration carries", "migration", _lost),
    Column("invent", "interfaces to invent for a migration", "migration", _invent),
)
