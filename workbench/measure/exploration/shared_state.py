"""Whether a design's host side touches state that is not the vCPU's own: then one vCPU alone shows no race.

State of the VM, and state of another vCPU, can be read by one handler while another changes it. Exploring such a design
with one vCPU says HOLDS about a race that cannot happen there, so the default is two.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from workbench.checking.environment import guest_program
from workbench.core.contracts import Feature
from workbench.core.driver import host_side
from workbench.core.event_steps import Start
from workbench.core.host_state import Key
from workbench.core.machine import Machine
from workbench.core.relay import relayed
from workbench.core.rules.place import by_author
from workbench.core.scenario import Scenario
from workbench.core.steps import GUEST, AllVcpus, Get, Program, Quiesce, Set
from workbench.lifecycle.linux import LinuxKernel
from workbench.measure.variants import Variant


@lru_cache(maxsize=256)
def touches_others_state(variant: Variant, features: tuple[Feature, ...]) -> bool:
    """Boot two vCPUs, enter, revoke and reset them, and tell whether a host step was about more than its own vCPU.

    False if a program raises an exception; the exploration then says so.
    """
    scenario = Scenario(variant.protocol(features), features, vcpus=2)
    machine = Machine(scenario.cpus)
    for region in scenario.memslots():
        machine.memory.add(region.gpa, region.size)
    found = False

    def noted(sided: tuple[Any, Any]) -> Program:
        nonlocal found
        side, step = sided
        if side is not GUEST:
            key = step.key if isinstance(step, Get | Set) else None
            found |= isinstance(step, AllVcpus | Quiesce) or (isinstance(key, Key) and key.cpu != cpu)
        return (yield sided)

    try:
        for cpu, stream in _streams(scenario):
            machine.run(cpu, relayed(stream, noted))
    except BaseException as error:
        if not by_author(error):
            raise
        return False
    return found


def _streams(scenario: Scenario) -> Iterator[tuple[int, Program]]:
    """Yield the programs of guest and host, each with its vCPU, one after the other."""
    protocol, kernel = scenario.protocol, LinuxKernel(scenario)
    for program in (kernel.boot, None, kernel.teardown, kernel.revoke_everything):
        for record in scenario.cpus:
            if program is None:
                yield record.index, host_side(protocol.on_entry(record))
            else:
                yield record.index, guest_program(scenario, Start(record.index, program))
    for record in scenario.cpus:
        yield record.index, host_side(protocol.on_init(record))
