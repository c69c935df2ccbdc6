"""Operations of a migration: rounds that copy memory, and the move to another host."""

from collections.abc import Mapping
from typing import Any

from workbench.core.replay_target import Target
from workbench.core.vmm import STOPS_SHORT, Vmm
from workbench.replay import values
from workbench.replay.form import Field, Form
from workbench.replay.values import END_OF

#: The default of ``registers``: what QEMU carries, in its order.
QEMUS = None


def _migrate(target: Target, registers: tuple[int, ...] | None, vmm: Vmm) -> Mapping[str, Any]:
    return {"machine": END_OF[target.migrate(registers, vmm)]}


FORMS: Mapping[str, Form] = {
    "copy_round": Form({}, lambda target: {"sent": target.copy_round()}, ("sent", "not_sent")),
    "migrate": Form(
        {"registers": Field(values.registers, QEMUS), "vmm": Field(values.vmm, STOPS_SHORT)}, _migrate, ("machine",)
    ),
}
