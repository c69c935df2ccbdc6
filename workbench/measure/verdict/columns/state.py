"""What a migration must carry: by what a design says of its state, which a save and a restore must bear out."""

from __future__ import annotations

from workbench.measure.comparison.metrics import is_new
from workbench.measure.design_check.line import FAIL
from workbench.measure.design_check.runs import save_and_restore
from workbench.measure.verdict.asked import Asked, Cell, Column
from workbench.measure.verdict.law import SIZES, law

_FEW = SIZES[0]


def _state(asked: Asked) -> Cell:
    found = law(lambda vcpus: sum(entry.wire_bytes for entry in asked.run("boot", vcpus).state))
    seen = f"bytes on the wire after boot: {', '.join(map(str, found.counts))} at {', '.join(map(str, SIZES))} vCPUs"
    command = asked.command("compare", "--events boot", "--metrics state_bytes", f"--vcpus {_FEW}")
    return Cell(str(found), found.at_large, seen, command)


def _tried(asked: Asked) -> str:
    """Return what a save and a restore lose although the design says that all is carried; empty if nothing."""
    entries = asked.run("boot", _FEW).state
    if not all(entry.carried for entry in entries):
        return ""  # it says so itself
    tried = save_and_restore(asked.variant, asked.features)
    return tried.text if tried.status == FAIL else ""


def _untrue(asked: Asked, why: str) -> Cell:
    return Cell("untrue", None, f"the design says 0, and a restore gives something else: {why}", asked.check())


def _lost(asked: Asked) -> Cell:
    if why := _tried(asked):
        return _untrue(asked, why)
    found = law(lambda vcpus: sum(e.wire_bytes for e in asked.run("boot", vcpus).state if not e.carried))
    seen = f"of these no migration carries {', '.join(map(str, found.counts))} at {', '.join(map(str, SIZES))} vCPUs"
    metrics = "--metrics state_bytes,state_carried_bytes"
    return Cell(str(found), found.at_large, seen, asked.command("compare", "--events boot", metrics, f"--vcpus {_FEW}"))


def _invent(asked: Asked) -> Cell:
    if why := _tried(asked):
        return _untrue(asked, why)
    entries = asked.run("boot", _FEW).state
    made = {entry.interface for entry in entries if is_new(entry)}
    existing = sorted({entry.interface for entry in entries if not is_new(entry)})
    seen = f"interfaces that exist: {', '.join(existing) or 'none'}; to be made: {len(made)}"
    metrics = "--metrics state_interfaces,state_new_interfaces"
    return Cell(str(len(made)), len(made), seen, asked.command("compare", "--events boot", metrics, f"--vcpus {_FEW}"))


COLUMNS = (
    Column("state", "bytes of registration state of V vCPUs", "migration", _state),
    Column("lost", "bytes of registration state that no migration carries", "migration", _lost),
    Column("invent", "interfaces to invent for a migration", "migration", _invent),
)
