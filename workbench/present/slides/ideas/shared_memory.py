"""What memory is that a guest shares with its hypervisor: one exit to tell where, none to write and to read."""

from __future__ import annotations

from workbench.core.slots import vcpu_slot
from workbench.measure.exploration.explore import TraceRow
from workbench.present.slides.sequence import Part, sequence
from workbench.present.slides.slide import Slide
from workbench.present.trial import Account, Trial

FEATURE, GPA = "kvmclock", 0x1000


def slide() -> Slide:
    """Register a clock under one MSR per feature, and read it."""
    trial = Trial("per_feature", [FEATURE])
    trial.prepare(FEATURE, GPA)
    register, read = trial.register(FEATURE, GPA), trial.read(FEATURE, GPA)
    count = sum(account.exits["exits"] for account in (register, read))
    exits = f"{count} exit{'' if count == 1 else 's'}"
    parts = [Part("the guest tells where; the host writes", _rows(register)), Part("the guest reads", _rows(read))]
    return Slide(
        "What is memory that a guest shares with its hypervisor?",
        sequence("registering and reading a clock: the steps that touch memory or leave the guest", parts),
        f"These steps take {exits}, by which the guest tells where the clock is; then the "
        "host writes to the guest's memory, and the guest reads there.",
        f"workbench page operation per_feature --feature {FEATURE} -o register.html",
    )


def _rows(account: Account) -> list[TraceRow]:
    return [TraceRow(vcpu_slot(0), (taken.side, taken.step)) for taken in account.steps]
