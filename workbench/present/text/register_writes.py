"""A table of what KVM's registers do with valid and invalid values.

An accepted value need not take effect, so there are separate columns for the outcome of the WRMSR, the register's
value afterwards, the address that the host serves, and whether the host's next update changes the memory there.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from workbench.core.contracts import Feature
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import Outcome
from workbench.core.steps import Now, Program
from workbench.core.vcpu import Host
from workbench.engines.simulate.by_hand import RAM_END
from workbench.errors import WorkbenchError, unknown
from workbench.features import FEATURES
from workbench.present.text.table import Column, Table
from workbench.present.trial import Trial

_KNOWN = [(register, feature) for feature in FEATURES.values() for register in feature.registers]
#: Name without MSR_KVM_ -> register number, in numerical order, second names of a register last.
REGISTERS = {
    register.name: register.msr
    for register, _ in sorted(_KNOWN, key=lambda one: (one[0].cell != one[0].msr, one[0].msr))
}
#: Register that takes the area or value of a feature, under both its names -> the feature.
FEATURE_OF = {
    register.msr: feature for register, feature in _KNOWN if register.cell == feature.registers[0].msr
}
COLUMNS = ("register", "written", "outcome", "reads", "host serves", "arrives")


def write_row(trial: Trial, register: str, value: int) -> list[str]:
    """Write ``value`` to the KVM register of this name, and return the cells of COLUMNS."""
    msr = REGISTERS[register]
    outcome = trial.wrmsr(msr, value).result
    back = trial.rdmsr(msr).result
    shown = back.value if isinstance(back, Outcome) else hex(back)
    feature = FEATURE_OF.get(msr)
    if feature is None or feature.is_value:
        return [register, hex(value), outcome.value, shown, "-", "-"]
    where = trial.serves(feature.name)
    place = "nothing" if where is None else hex(where)
    return [register, hex(value), outcome.value, shown, place, "yes" if _arrives(trial, feature, where) else "no"]


def writes(done: Iterable[tuple[str, int]], title: str = "", **circumstances: Any) -> Table:
    """Return a table of successive writes on one machine; ``circumstances`` are arguments of :class:`Trial`."""
    trial = Trial("per_feature", **circumstances)
    rows = [write_row(trial, register, value) for register, value in done]
    notes = [f"RAM is 0 to {RAM_END:#x}. arrives: the host's next update changes memory."]
    return Table(title, [Column(name) for name in COLUMNS], rows, labels=2, notes=notes)


def write_named(text: str) -> tuple[str, int]:
    """Return the register and the value of ``REGISTER=VALUE``; raise WorkbenchError for another text."""
    register, equals, value = text.partition("=")
    if not equals:
        raise WorkbenchError(f"{text!r} is not REGISTER=VALUE; for example STEAL_TIME=0x1001")
    if register not in REGISTERS:
        raise unknown("register", register, REGISTERS)
    return register, number(value, "a register's value", 1 << 64)


def circumstances(host: Host, bits: Sequence[str] | None, *, enforced: bool) -> dict[str, Any]:
    """Return arguments of :class:`Trial` for a host and the CPUID bits that a user has typed (none: all of KVM's)."""
    found: dict[str, Any] = {"host": host, "enforce_cpuid": enforced}
    if bits:
        found["cpuid"] = frozenset(number(bit, "a CPUID bit", 32) for bit in bits)
    return found


def number(text: str, what: str, limit: int) -> int:
    """Return a number as C writes it, 0x1001 or 4097; raise WorkbenchError for anything else than 0 to limit - 1."""
    try:
        found = int(text.strip(), 0)
    except ValueError:
        raise WorkbenchError(f"{text!r} is not {what}; allowed: 0 to {limit - 1:#x}, decimal or 0x...") from None
    if not 0 <= found < limit:
        raise WorkbenchError(f"{text} is not {what}; allowed: 0 to {limit - 1:#x}")
    return found


def _arrives(trial: Trial, feature: Feature, where: int | None) -> bool:
    """Tell whether the next update changes memory at ``where``; the update is carried out."""
    if where is None:
        return False
    trial.read(feature.name, where)  # consume an earlier payload, because the host would wait until it is read
    before = trial.memory.peek(where, PAGE_SIZE - where % PAGE_SIZE)
    trial.host(_update_now(feature, where), what="update")
    after = trial.memory.peek(where, PAGE_SIZE - where % PAGE_SIZE)
    return before is not None and before != after


def _update_now(feature: Feature, where: int) -> Program:
    return (yield from feature.update(0, where, (yield Now())))
