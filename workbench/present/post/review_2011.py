"""The answer to the review of 26 January 2011, objection by objection, each with a number, a table and a trace.

Source: Avi Kivity, "Re: [PATCH 01/16] KVM-HDR: register KVM basic header infrastructure", to the mailing lists of KVM
and of the Linux kernel, on the proposal of Glauber Costa of 24 January 2011.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from workbench.errors import WorkbenchError
from workbench.measure.comparison import cost
from workbench.measure.comparison.state import state_of_run
from workbench.measure.variants import Variant
from workbench.present.post.asked import Asked
from workbench.present.post.parts import exits, failures, hardware, measured, repairs, trace
from workbench.present.post.section import Section
from workbench.present.text.table import Cell, Column, Table, as_text

SOURCE = (
    'Avi Kivity, "Re: [PATCH 01/16] KVM-HDR: register KVM basic header infrastructure", 26 January 2011, to the '
    "kvm and linux-kernel mailing lists"
)
GENERIC, OTHER = "generic", "per_feature"
COSTS = "kvm-unit-tests-2012"  #: the published figures that are nearest to the review
EVENTS = ("boot", "kexec-no-teardown", "migrate", "ignore-msrs", "descriptor-race")


def sections(asked: Asked) -> list[Section]:
    """Return a section for each of the three objections, and two for what a reader would ask next."""
    labels = [one.label for one in asked.variants]
    lacking = [name for name in (GENERIC, OTHER) if name not in labels]
    lacking += [name for name in EVENTS if name not in {event.name for event in asked.events}]
    if lacking:
        raise WorkbenchError(f"review-2011 compares {GENERIC} and {OTHER} in {', '.join(EVENTS)}; "
                             f"the post is not about {', '.join(lacking)}")  # fmt: skip
    return [_migration(asked), _hardware(asked), _one_register_each(asked), *_doubts(asked)]


def _migration(asked: Asked) -> Section:
    value = _values(asked)
    lost, areas = value(GENERIC, "migrate", "areas_lost"), value(GENERIC, "boot", "areas")
    ours, theirs = (value(one, "boot", "state_bytes") for one in (GENERIC, OTHER))
    rows: list[list[Cell]] = [
        [one.label, *(value(one.label, "boot", name) for name in _STATE), value(one.label, "migrate", "areas_lost")]
        for one in asked.variants
    ]
    columns = [Column(name) for name in ("design", "entries", "bytes", "carried", "to be made", "lost")]
    table = Table("State after boot, and a migration", columns, rows, notes=[
        "bytes: in the VMM's stream. carried: of these, by interfaces that exist. to be made: interfaces that would "
        "have to be made to carry the rest. lost: areas that the guest believes registered, after the migration.",
    ])  # fmt: skip
    return _answer(
        ("Live migration", "it doesn't lend itself will to live migration. Extra state must be maintained in the "
         "hypervisor."),
        f"Live migration: the generic call loses {lost} of {areas} areas.",
        f"It does not: at {asked.vcpus} vCPUs a migration loses {lost} of {areas} areas of the generic call. Nothing "
        f"updates them any more, and the guest is not told. It is not the amount of state: the generic call has {ours} "
        f"bytes, one register for each feature {theirs}. It is who carries it: of the {ours} bytes interfaces that "
        f"exist carry {value(GENERIC, 'boot', 'state_carried_bytes')}, of the {theirs} KVM_GET/SET_MSRS carries "
        f"{value(OTHER, 'boot', 'state_carried_bytes')}.",
        (trace.section(asked, f"F02:migrate:{GENERIC}"),),
        table, asked.compare_command(),
    )  # fmt: skip


_STATE = ("state_entries", "state_bytes", "state_carried_bytes", "state_new_interfaces")


def _hardware(asked: Asked) -> Section:
    race = trace.section(asked, f"F05:descriptor-race:{GENERIC}")
    shown = {one.label: _shown(asked, one) for one in asked.variants}
    counted = f"{sum(shown[GENERIC])} of {len(shown[GENERIC])} entries"
    return _answer(
        ("Normal hardware", "it isn't how normal hardware operates"),
        f"Hardware: registers show {counted}; the request is read twice.",
        f"It is not: registers show {counted} of the generic call, and {sum(shown[OTHER])} of {len(shown[OTHER])} of "
        "the other design. The request and the result are in memory, which another vCPU changes between two reads: "
        "the trace shows it. The table says point by point what registers of processors and devices do, and which "
        "design does so when it is run; one register for each feature is not like hardware everywhere either.",
        (hardware.section(asked, ""), race),
    )


def _one_register_each(asked: Asked) -> Section:
    value = _values(asked)
    failing = {one: len({cell.property for cell in asked.cells if (cell.verdict, str(cell.label())) == ("FAILS", one)})
               for one in (GENERIC, OTHER)}  # fmt: skip
    theirs, ours = value(OTHER, "boot", "exits"), value(GENERIC, "boot", "exits")
    unknown, model = value(GENERIC, "boot", "user_exits"), cost.load(COSTS)
    cycles = {
        one: value(one, "boot", "kernel_exits") * model.kernel_exit_cycles
        + value(one, "boot", "user_exits") * (model.user_exit_cycles or 0)
        for one in (GENERIC, OTHER)
    }
    answer = _answer(
        ("One register for each feature", "what's wrong with extending the normal approach of one msr per feature?"),
        f"One register each: {theirs} exits at boot, not {ours}; "
        f"{failing[OTHER]} properties fail, not {failing[GENERIC]}.",
        f"Little: boot takes {theirs} exits instead of {ours} at {asked.vcpus} vCPUs. That is {cycles[OTHER]:,} cycles "
        f"instead of {cycles[GENERIC]:,}, once, with {model.kernel_exit_cycles} for an exit that KVM handles and "
        f"{model.user_exit_cycles} for one that the VMM handles. {failing[OTHER]} properties fail instead of "
        f"{failing[GENERIC]}. What it cannot do is pass a type that the kernel does not know to user space: {unknown} "
        f"of the {ours} exits of the generic call {'is' if unknown == 1 else 'are'} such a registration, which needs "
        "no change of the kernel.",
        (exits.section(asked, ""), failures.section(asked, "")),
    )
    published = f"Cycles: {model.source}; {model.date}, hardware: {model.hardware}."
    return replace(answer, sources=[*answer.sources, published])


def _doubts(asked: Asked) -> list[Section]:
    """Return what a reader would ask next: can it be repaired, and is the model like the machine?"""
    repaired, real = repairs.section(asked, ""), measured.section(asked, "")
    return [replace(repaired, title="Can it be repaired?"), replace(real, title="Is the model like the machine?")]


def _answer(
    title_and_quote: tuple[str, str], short: str, claim: str, shown: Sequence[Section], table: Table | None = None,
    command: Sequence[str] = (),
) -> Section:  # fmt: skip
    """Return a section with a table and what other sections show."""
    commands = [*([command] if command else []), *(pieces for one in shown for pieces in one.commands)]
    return Section(
        title_and_quote[0], claim,
        [*([as_text(table)] if table else []), *(block for one in shown for block in one.blocks)],
        list(dict.fromkeys(map(tuple, commands))),
        sources=[SOURCE, *(source for one in shown for source in one.sources)],
        attachments=[file for one in shown for file in one.attachments],
        short=short, quote=title_and_quote[1],
    )  # fmt: skip


def _values(asked: Asked) -> Callable[[str, str, str], int]:
    found = {(row.protocol, row.event, row.metric): row.value for row in asked.table.itertuples()}
    return lambda label, event, metric: int(found[label, event, metric])


def _shown(asked: Asked, variant: Variant) -> list[bool]:
    entries = state_of_run(variant, asked.of(variant), asked.vcpus, asked.events[0], asked.seed)
    return [entry.architected for entry in entries]
