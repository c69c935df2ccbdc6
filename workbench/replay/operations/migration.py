"""Operations of a migration: rounds that copy memory, and the move to another host.

If the destination does not take the machine, its source may go on, or not: the source of a live migration was paused
and has everything; QEMU starts it again when it sees that the migration has failed (migration/migration.c,
migration_iteration_finish), and otherwise whoever manages both sides may. A snapshot that is restored has no source.
So a file says which it is; without a source nothing runs any more.
"""

from collections.abc import Mapping
from typing import Any

from workbench.core.replay_target import Target
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.replay import values
from workbench.replay.form import Field, Form
from workbench.replay.values import DESTINATION, END_OF, GONE, NOWHERE, RESUMES, SOURCE

#: The default of ``registers``: what the VMM carries, in its order.
ITS_OWN = None


def _migrate(target: Target, registers: tuple[int, ...] | None, vmm: Vmm, source: str) -> Mapping[str, Any]:
    found = target.migrate(registers, vmm)
    left = SOURCE if source == RESUMES else NOWHERE
    return {"machine": END_OF[found], "runs_on": left if found.is_end else DESTINATION}


FORMS: Mapping[str, Form] = {
    "copy_round": Form({}, lambda target: {"sent": target.copy_round()}, ("sent", "not_sent")),
    "migrate": Form(
        {
            "registers": Field(values.registers, ITS_OWN),
            "vmm": Field(values.vmm, STOPS_SHORT),
            "source": Field(values.source, GONE),
        },
        _migrate,
        ("machine", "runs_on"),
    ),
}
