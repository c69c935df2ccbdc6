"""How register values are handled: the survey's cases on a real KVM, and the same cases in the simulator.

One case is one value in one register of an otherwise empty guest. Recorded are the outcome of the guest's write, the
register's value afterwards, whether a payload appeared, and whether the host may write the value.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

from workbench.core.contracts import Protocol
from workbench.core.outcome import Outcome
from workbench.core.replay_target import MachineSpec
from workbench.engines.kvm.survey import RAM, Case, Verdict, cases
from workbench.engines.simulate.replay_target import SimulatedTarget
from workbench.features import choose
from workbench.protocols.per_feature import PerFeature


class Validation(NamedTuple):
    """One case: measured or simulated. ``reads`` is hexadecimal, as registers are written."""

    register: str
    kind: str
    value: str
    guest: str  #: handled or fault
    reads: str
    payload: bool  #: the host wrote into the area
    host: str  #: accepted or refused


def measured(verdict: Verdict) -> Validation:
    """Return a result of a real KVM as a case."""
    return _validation(verdict.case, verdict.guest, verdict.reads, verdict.written, verdict.host)


def simulated(case: Case, protocol: Protocol | None = None) -> Validation:
    """Try a case in the simulator, on two fresh machines as on KVM: the guest's write, and the host's."""
    rules = protocol or PerFeature(choose())
    target = SimulatedTarget(MachineSpec(), rules)
    target.add_ram(0, RAM)
    inside = min(max(RAM - case.gpa, 0), case.size)
    outcome = target.wrmsr(0, case.msr, case.value)
    reads = target.host_get_msr(0, case.msr) or 0
    target.run(0)
    written = bool(inside) and target.load(case.gpa, inside) != bytes(inside)
    other = SimulatedTarget(MachineSpec(), rules)
    other.add_ram(0, RAM)
    return _validation(case, outcome, reads, written, other.host_set_msr(0, case.msr, case.value))


def all_simulated() -> tuple[Validation, ...]:
    """Return every case in the simulator, in the survey's order."""
    return tuple(simulated(case) for case in cases())


def _validation(case: Case, guest: Outcome, reads: int, written: bool, host: bool) -> Validation:
    return Validation(
        case.register,
        case.kind,
        f"{case.value:#x}",
        guest.value,
        f"{reads:#x}",
        written,
        "accepted" if host else "refused",
    )


def from_records(records: Iterable[dict[str, Any]]) -> tuple[Validation, ...]:
    """Return validations from the JSON objects of a file of measured data."""
    return tuple(Validation(**record) for record in records)
