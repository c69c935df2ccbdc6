"""null, clause by clause: it claims no register, makes no exit, and keeps no state."""

import pytest

from workbench.core.host_state import VM
from workbench.core.outcome import FAULT, REFUSED
from workbench.core.vcpu import Host
from workbench.features import FEATURES
from workbench.protocols import Null

from .bench import bench_of


@pytest.mark.parametrize("msr", [0x11, 0x12, 0x4B56_4D00, 0x4B56_4D03])
def test_null_R1_no_register_is_claimed(msr):
    bench = bench_of(Null)
    assert bench.wrmsr(msr, 0x3001) is FAULT
    assert bench.rdmsr(msr) is FAULT
    assert bench.set_msr(msr, 0) is False
    assert bench.get_msr(msr) is None
    assert bench.machine.entries == {}


def test_null_R1_asked_directly_the_handler_knows_nothing_either():
    bench = bench_of(Null, host=Host(ignore_msrs=True))
    outcome = bench.host(bench.protocol.on_wrmsr(bench.machine.cpus[0], 0x4B56_4D03, 0x3001))
    assert outcome.value == "unknown"


@pytest.mark.parametrize("name", FEATURES)
def test_null_R2_refused_without_an_exit_a_store_or_an_entry(name):
    bench = bench_of(Null)
    assert bench.register(name, 0x3000) is REFUSED
    bench.unregister(name, 0x3000)
    bench.enter()
    bench.init()
    assert bench.migrate() == ()
    assert {key for key, n in bench.counts.items() if n} <= {"steps"}
    assert bench.machine.ever == {}
    assert bench.state() == []
    assert bench.serves(name, VM if FEATURES[name].scope == "vm" else 0) is None
