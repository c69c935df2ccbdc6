"""Tables of what a real KVM did, with simulated and measured values in separate columns.

The title of every table says which KVM it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from workbench.core.outcome import Outcome
from workbench.engines.kvm.survey import Behaviour, UpdateCount
from workbench.engines.kvm.timing import Cost
from workbench.measure.on_kvm.kvm_agreement import Agreement
from workbench.measure.on_kvm.runs import Measurement
from workbench.measure.on_kvm.validation import Validation
from workbench.present.text.table import Cell, Column, Table

NOT_COUNTED = (
    "simulated, measured: the worst that became of any area, by the simulator and by this KVM. user exits: exits to "
    "the VMM that this KVM made from the event on, counted where KVM_RUN came back. Exits that KVM handles itself "
    "cannot be counted from outside; no number is given for them."
)


def words(lines: Sequence[Agreement], host: str) -> Table:
    """Return a table of each event's simulated fate, measured fate, and measured exits to user space."""
    protocols = list(dict.fromkeys(line.protocol for line in lines))
    by_key = {(line.event, line.protocol): line for line in lines}
    rows: list[list[Cell]] = []
    for event in dict.fromkeys(line.event for line in lines):
        cells: list[Cell] = [event]
        for protocol in protocols:
            line = by_key[event, protocol]
            exits = "-" if line.measured_user_exits is None else line.measured_user_exits
            cells += [line.simulated, line.measured, exits]
        rows.append(cells)
    columns = [Column("event")]
    for protocol in protocols:
        columns += [Column(name, protocol) for name in ("simulated", "measured", "user exits")]
    notes = [NOT_COUNTED, *_carried(lines), *_missed(lines), *_not_run(lines), *_differences(lines)]
    return Table(host, columns, rows, notes=notes)


def _carried(lines: Iterable[Agreement]) -> list[str]:
    names = dict.fromkeys(line.protocol for line in lines if line.carried_calls is not None)
    if not names:
        return []
    return [
        f"Hypercalls of {', '.join(names)}: carried by port I/O, because KVM answers a guest's hypercalls itself; "
        "each is one exit to the VMM, which a kernel that knew the design would not make."
    ]


def _missed(lines: Iterable[Agreement]) -> list[str]:
    moved = [(line, line.measured_missed) for line in lines if line.measured_missed is not None]
    if not moved:
        return []
    short = [(line, missed) for line, missed in moved if missed.bytes]
    told = "; ".join(
        f"{line.protocol}, {line.event}: {missed.bytes} bytes in {missed.pages} pages" for line, missed in short
    )
    return [
        f"Measured: memory was sent to another VM by KVM's dirty log in {len(moved)} runs; what this VM then has not "
        f"got as it was last written: {told or 'nothing'}."
    ]


def _not_run(lines: Iterable[Agreement]) -> list[str]:
    events: dict[str, dict[str, None]] = {}
    for line in lines:
        if line.not_run:
            events.setdefault(line.not_run, {})[line.event] = None
    return [f"Not run: {', '.join(names)}: {reason}." for reason, names in events.items()]


def _differences(lines: Sequence[Agreement]) -> list[str]:
    run = [line for line in lines if not line.not_run]
    different = [line for line in run if line.difference]
    notes = [
        f"{line.protocol}, {line.event}: {line.difference}. "
        + (f"Known: {line.known}." if line.known else "NOT KNOWN.")
        for line in different
    ]
    same = len(run) - len(different)
    return [*notes, f"The words of every area are the same in {same} of {len(run)} runs."]


def payloads(found: Sequence[Measurement], event: str, host: str) -> Table:
    """Return a table of how many areas of each feature held bytes of the host after ``event``."""
    chosen = [one for one in found if one.event == event and one.not_run is None]
    features = list(dict.fromkeys(name for one in chosen for name in one.words))
    rows: list[list[Cell]] = [[name, *(one.payloads.get(name, 0) for one in chosen)] for name in features]
    columns = [Column("feature"), *(Column("", one.protocol) for one in chosen)]
    note = (
        "Registered areas, as the guest knows them, with bytes that the guest did not write (where there is a "
        "version, an even one). PV EOI gets its payload on an event, async page fault a token when KVM enables it; "
        "poll and migration control are values, and the watchdog's time is the guest's own."
    )
    return Table(f"Payloads seen in guest memory after {event} ({host})", columns, rows, notes=[note])


def validation(measured: Sequence[Validation], simulated: Sequence[Validation], host: str) -> Table:
    """Return a table of what a real KVM did with each kind of address, register by register.

    It names what the simulator does otherwise. Registers that hold a plain number are not in it.
    """
    both = zip(measured, simulated, strict=True)
    found = {(real.kind, real.register): (real, model) for real, model in both if not real.kind.startswith("0x")}
    kinds, registers = (list(dict.fromkeys(key[place] for key in found)) for place in (0, 1))
    rows: list[list[Cell]] = [
        [kind, *(_handling(*found[kind, one]) if (kind, one) in found else "-" for one in registers)] for kind in kinds
    ]
    note = (
        "fault: the guest's WRMSR took a fault, and the register has its old value (kept: it has what was refused); "
        "accepted: no fault; written: no fault, and the host wrote into the area."
    )
    return Table(f"Register values ({host})", [Column("value"), *map(Column, registers)], rows, notes=[note])


def _handling(real: Validation, model: Validation) -> str:
    words = [_word(one) for one in (real, model)]
    return words[0] if real == model else f"{words[0]} (DIFFERENT, simulated: {words[1]})"


def _word(one: Validation) -> str:
    if one.guest == Outcome.FAULT.value:
        return "fault, kept" if int(one.value, 16) and int(one.reads, 16) == int(one.value, 16) else "fault"
    return "written" if one.payload else "accepted"


def behaviours(found: Iterable[Behaviour], host: str) -> Table:
    """Return a table of when each payload is written."""
    rows: list[list[Cell]] = [[one.register, *("yes" if seen else "no" for seen in one[1:])] for one in found]
    names = ("register", "at once", "next KVM_RUN", "each KVM_RUN", "clock set")
    return Table(f"When payloads are written ({host})", [Column(name) for name in names], rows)


def updates(found: Iterable[UpdateCount], host: str) -> Table:
    """Return a table of how often KVM updated payloads, counted by their versions; no number in it is simulated."""
    rows: list[list[Cell]] = [list(one) for one in found]
    names = ("register", "KVM_RUNs", "WRMSRs in each", "updates seen")
    note = (
        "updates seen: half of what the version in guest memory has gone up. WRMSRs in each: KVM handles them itself, "
        "and the vCPU stays loaded. More updates of STEAL_TIME than KVM_RUNs: the vCPU's thread was preempted and "
        "loaded again."
    )
    return Table(f"Updates seen in guest memory ({host})", [Column(name) for name in names], rows, notes=[note])


def costs(found: Iterable[Cost], costs_are: str, host: str) -> Table:
    """Return a table of what steps cost, in nanoseconds, with quartiles."""
    rows: list[list[Cell]] = [
        [
            one.what,
            one.handled_by,
            f"{one.median_ns:.4g}",
            f"{one.lower_ns:.4g}",
            f"{one.upper_ns:.4g}",
            "-" if one.user_share is None else f"{one.user_share:.0%}",
        ]
        for one in found
    ]
    names = ("step", "by", "median", "1st quartile", "3rd quartile", "Python")
    notes = [
        f"Nanoseconds of CPU time of the vCPU's thread: {costs_are}. Python: its share of the CPU time of an exit "
        "to the VMM.",
    ]
    return Table(f"Costs ({host})", [Column(name) for name in names], rows, notes=notes)
