"""One operation of a protocol, step by step: a registration, an update, a read, a revocation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.core.address_map import DESCRIPTOR
from workbench.core.catalogue import ALL
from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import Key
from workbench.core.relay import relayed
from workbench.core.slots import vcpu_slot
from workbench.core.steps import Program, Side
from workbench.errors import unknown
from workbench.features import choose_one
from workbench.measure.exploration.explore import TraceRow
from workbench.measure.exploration.items import Item, Structure, changes_of, in_host, in_memory
from workbench.measure.exploration.recording import Recording
from workbench.measure.variants import Variant, variant
from workbench.present.trial import Account, Trial, answer_text
from workbench.present.web.again import operation_again
from workbench.present.web.stepper import stepper
from workbench.present.web.view import View

AREA = 0x1000  #: where the area of an operation is
OPERATIONS = ("register", "update", "read", "unregister")


class _Recorded(Trial):
    """A trial that keeps what a reader can look at, before the first step of an operation and after each."""

    shown: Sequence[Structure] = ()

    def run(self, what: str, cpu: int, stream: Program) -> Account:
        self.states = [self._state()]

        def noted(sided: tuple[Side, Any]) -> Program:
            answer = yield sided
            self.states.append(self._state())
            return answer

        return super().run(what, cpu, relayed(stream, noted))

    def _state(self) -> dict[Item, str]:
        entries = self.machine.entries.items()
        held = ((key, value) for key, value in entries if isinstance(key, Key) and value is not None)
        return in_memory(self.shown, self.memory.peek) | in_host(held)


def operation(
    protocol: str | type[Protocol] | Variant, feature: str | Feature, what: str = "register", gpa: int = AREA
) -> View:
    """Return the steps of an operation on an area at ``gpa``, which is registered before unless ``what`` registers it.

    ``what``: register, update, read, unregister. Raises WorkbenchError for an unknown name.
    """
    if what not in OPERATIONS:
        raise unknown("operation", what, OPERATIONS)
    named = choose_one(feature)
    if isinstance(protocol, str):
        protocol = variant(protocol)
    elif not isinstance(protocol, Variant):
        protocol = Variant.of(protocol)
    trial = _Recorded(protocol, [ALL, named])
    trial.shown = _structures(trial, named, gpa)
    trial.prepare(named.name, gpa)
    if what != "register":
        trial.register(named.name, gpa)
    account: Account = getattr(trial, what)(named.name, gpa)
    again = operation_again(protocol, named, what, gpa, AREA)
    return stepper(_recording(trial, account, f"{trial.protocol.name}: {what} {named.name}"), **again)


def _structures(trial: Trial, feature: Feature, gpa: int) -> list[Structure]:
    cpu = trial.machine.cpus[0]
    found = []
    if trial.protocol.descriptor is not None:
        found.append(Structure(cpu.descriptor, trial.protocol.descriptor.on(cpu.abi), f"{DESCRIPTOR} of vCPU 0"))
    if feature.size:
        found.append(Structure(gpa, feature.payload.on(cpu.abi), f"{feature.name} of vCPU 0"))
    return sorted(found)


def _recording(trial: _Recorded, account: Account, subject: str) -> Recording:
    rows = tuple(TraceRow(vcpu_slot(0), (taken.side, taken.step)) for taken in account.steps)
    answers = (answer_text(taken) for taken in account.steps)
    texts = (f"{line} -> {said}" if said else line for line, said in zip(account.lines, answers, strict=True))
    start, changes = changes_of(trial.states, trial.shown)
    return Recording(subject, account.exits_text, rows, start, changes, texts=tuple(texts))


__all__ = ["AREA", "OPERATIONS", "operation"]
