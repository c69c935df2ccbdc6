"""Handlers and payload writers complete under every interleaving."""

import pytest

from workbench.core.scenario import Scenario
from workbench.engines.explore.vm import Bounds, MachineModel, explore_machine
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.protocols import PROTOCOLS


@pytest.mark.parametrize("feature", ["steal_time", "kvmclock", "wall_clock", "async_pf", "pv_eoi"])
@pytest.mark.parametrize("event", ["memslot-unplug", "memslot-return", "encrypted"])
@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_payload_writers_survive_memory_that_goes_away(protocol, event, feature):
    features = choose([feature])
    machine = MachineModel(Scenario(PROTOCOLS[protocol](features), features), EVENTS[event], bounds=Bounds(updates=2))
    result = explore_machine(machine)
    assert result.limit is None
    assert result.deadlocks == 0
