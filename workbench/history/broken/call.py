"""The common part of the designs with one call for each kind of area.

C1  A hypercall is modelled as an exit: its number takes the place of a register's index, its argument is an address.
C2  The host keeps the address under that number; a negative answer is FAULT, and the guest checks it.
C3  The argument ``off`` revokes. A second call replaces the first.
C4  A migration carries every address and restores it by the same check as the call.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, area, register
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.restoring import written
from workbench.core.steps import Get, Program, Set, Wrmsr
from workbench.core.vcpu import Vcpu


class Call(Protocol):
    """One call for each kind of area; subclasses name the calls and override what differs."""

    numbers: ClassVar[Mapping[str, int]]  #: feature -> the number of its call
    off: ClassVar[int] = 0  #: the argument with which a guest revokes

    def __init_subclass__(cls, **arguments: Any) -> None:
        """Claim the numbers of the calls, unless the class declares its own claims."""
        if "msrs" not in vars(cls):
            cls.msrs = frozenset(cls.numbers.values())
        super().__init_subclass__(**arguments)

    def supports(self, feature: Feature) -> bool:
        return feature.name in self.numbers

    # -- the guest's side ----------------------------------------------------------------------------

    def register(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        outcome = yield Wrmsr(self.numbers[feature.name], gpa)  # C1
        return REFUSED if outcome is FAULT else ACCEPTED  # C2

    def unregister(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        return (yield from self.register(cpu, feature, self.off))  # C3

    # -- the host's side -----------------------------------------------------------------------------

    def on_wrmsr(self, cpu: Vcpu, msr: int, value: int, *, host_initiated: bool = False) -> Program:
        feature = next(one for one in self.features if self.numbers.get(one.name) == msr)
        if value == self.means_off():
            yield from self.keep(cpu, feature, None)
            return HANDLED
        if not (yield from self.allows(cpu, feature, value)):
            return FAULT
        yield from self.keep(cpu, feature, value)
        if not host_initiated:
            yield from self.on_registered(cpu, feature, value)
        return HANDLED

    def means_off(self) -> int:
        """Return the argument that the host treats as "revoke"."""
        return self.off

    def allows(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """Host: check an address; return whether it may be registered. Default: no check."""
        return True
        yield

    def on_registered(self, cpu: Vcpu, feature: Feature, gpa: int) -> Program:
        """Host: further effects of a guest's registration. Default: none."""
        return
        yield

    def keep(self, cpu: Vcpu, feature: Feature, gpa: int | None) -> Program:
        """Host: store an address, or none."""
        owner = VM if feature.scope == "vm" else cpu.index
        yield Set(register(owner, self.numbers[feature.name]), gpa)
        yield Set(area(owner, feature.name), gpa)

    # -- live migration (C4) ---------------------------------------------------------------------------

    def save(self, cpus: Sequence[Vcpu]) -> Program:
        saved: tuple[Any, ...] = ()
        for cpu in cpus:
            for number in self.restored_in_order():
                value = yield Get(register(cpu.index, number))
                if value is not None:
                    saved += ((cpu.index, number, value),)
        return saved

    def restored_in_order(self) -> Sequence[int]:
        """Return the numbers in the order in which a VMM saves and restores them."""
        return tuple(self.numbers[feature.name] for feature in self.features if self.supports(feature))

    def restore(self, cpus: Sequence[Vcpu], saved: tuple[Any, ...]) -> Program:
        return (yield from written(cpus, saved, self.write_back))

    def write_back(self, cpus: Sequence[Vcpu], item: tuple[int, int, int]) -> Program:
        """VMM: write one saved number; return whether the host accepts it."""
        index, number, value = item
        return (yield from self.on_wrmsr(cpus[index], number, value, host_initiated=True)) is HANDLED
