"""Whether a design keeps the addresses it was given where a property can read them: in its registration state.

A property that compares addresses with the host's entries says nothing of a design that keeps page numbers, or keeps
its state somewhere else. One registration is therefore tried, on a machine of its own.
"""

from functools import cache
from typing import Any

from workbench.checking.environment import guest_program
from workbench.checking.frozen_clock import FrozenMachine
from workbench.core.contracts import Feature, Protocol
from workbench.core.event_steps import GuestCall, Start
from workbench.core.host_state import DERIVED, Key
from workbench.core.scenario import Scenario, believes
from workbench.errors import WorkbenchError

#: Control bits lie below an address of this alignment.
CONTROL = 64


def is_near(address: int | None, value: int) -> bool:
    """Tell whether a value is this address, or this address with control bits."""
    return address is not None and address // CONTROL == value // CONTROL


def holds(entry: Any, value: int) -> bool:
    """Tell whether the value of an entry is an address, or a tuple that contains it, with or without control bits."""
    if isinstance(entry, tuple):
        return any(holds(one, value) for one in entry)
    return type(entry) is int and is_near(entry, value)


@cache
def keeps_addresses(protocol: Protocol, feature: Feature) -> bool:
    """Tell whether an accepted registration of a feature leaves its address in the host's registration state.

    True also where this cannot be found out, because the registration is refused or cannot be made alone.
    """
    scenario = Scenario(protocol, (feature,))
    owner, *_ = scenario.owners(feature)
    machine = FrozenMachine(scenario.cpus)
    for region in scenario.memslots():
        machine.memory.add(region.gpa, region.size)
    start = Start(0, GuestCall(scenario.enrol, (feature, 0)))
    try:
        machine.run(0, guest_program(scenario, start))
    except WorkbenchError:
        return True
    gpa = machine.notes.get(believes(owner, feature.name))
    kept = [value for key, value in machine.entries.items() if isinstance(key, Key) and key.kind not in DERIVED]
    return gpa is None or feature.is_value or any(holds(value, gpa) for value in kept)
