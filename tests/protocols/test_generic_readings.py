"""The other readings of what the 2011 patch leaves open: each switch does what it says, and nothing without it."""

import pytest

from workbench.checking.failures import choose
from workbench.clayout.layout import Abi
from workbench.core.host_state import VM, register, registry
from workbench.core.kvm_registers import HYPERVISOR_CALLBACK_VECTOR
from workbench.core.outcome import ACCEPTED, FAULT, HANDLED, REFUSED
from workbench.core.steps import Load, Wrmsr
from workbench.core.vcpu import Host
from workbench.engines.simulate.by_hand import SCRATCH
from workbench.errors import WorkbenchError
from workbench.features import FEATURES
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.exploration.mitigations import mitigated
from workbench.measure.variants import variant, variants
from workbench.protocols import PROTOCOLS, Generic
from workbench.protocols._readings import ALL_READINGS, READINGS, VECTOR_MSR
from workbench.protocols.generic import EBUSY, EFAULT, EINVAL, KVM_MEMORY_AREA, OK, TYPES

from .bench import bench_of
from .generic_calls import HOLE, MSR, UNKNOWN_TYPE, call, guest_steps, serve

STEAL = TYPES["steal_time"]


def both(name, **machine):
    """A bench as we read the patch, and one with a reading."""
    return bench_of(Generic, **machine), bench_of(Generic, mitigations=(name,), **machine)


def test_every_open_clause_has_a_switch():
    assert [one.clause for one in ALL_READINGS.values()] == [f"R{n}" for n in range(9, 19)]
    assert set(ALL_READINGS) <= set(Generic.switches())
    assert not set(READINGS) & set(Generic.mitigations_known)
    assert all(f"Reading ``{name}``" in " ".join(_head().split()) for name in READINGS)


def _head():
    from workbench.protocols import generic

    return generic.__doc__


def test_a_reading_is_named_like_a_mitigation_and_is_none():
    (found,) = mitigated(variants(["generic"]), ["all"])
    assert not set(READINGS) & set(found.mitigations)
    assert variant("generic+own-layout+copy-once").mitigations == ("own-layout", "copy-once")
    with pytest.raises(WorkbenchError, match="'generic' has no mitigation 'own-layouts'; did you mean own-layout"):
        variant("generic+own-layouts")
    assert not any(kind.readings_known for name, kind in PROTOCOLS.items() if name != "generic")


def test_success_is_one():
    ours, theirs = both("success-is-one")
    assert call(ours, 0x3000, 64, STEAL) == (HANDLED, 0)
    assert call(theirs, 0x3000, 64, STEAL) == (HANDLED, 1)
    assert call(theirs, HOLE, 64, STEAL) == (HANDLED, EFAULT)
    assert theirs.register("steal_time", 0x3000) is ACCEPTED
    ours, theirs = both("success-is-one", host=Host(knows_protocol=False, ignore_msrs=True))
    assert ours.register("steal_time", 0x3000) is ACCEPTED, "0 that nobody has written"
    assert theirs.register("steal_time", 0x3000) is REFUSED


def test_unreadable_ignored():
    ours, theirs = both("unreadable-ignored")
    assert (ours.wrmsr(MSR, HOLE), theirs.wrmsr(MSR, HOLE)) == (FAULT, HANDLED)
    assert theirs.machine.entries == {}


def test_unchecked_base():
    ours, theirs = both("unchecked-base")
    assert call(ours, HOLE, 64, STEAL) == (HANDLED, EFAULT)
    assert call(theirs, HOLE, 64, STEAL) == (HANDLED, OK)
    assert theirs.serves("steal_time") == HOLE
    assert call(theirs, (1 << 64) - 8, 64, STEAL) == (HANDLED, OK)
    assert call(theirs, 0x3000, 63, STEAL) == (HANDLED, EINVAL), "the size is still checked"


def test_refuse_second():
    ours, theirs = both("refuse-second", vcpus=2)
    for bench, answer, served in ((ours, OK, 0x4000), (theirs, EBUSY, 0x3000)):
        assert call(bench, 0x3000, 64, STEAL) == (HANDLED, OK)
        assert call(bench, 0x4000, 64, STEAL) == (HANDLED, answer)
        assert bench.serves("steal_time") == served
        assert call(bench, 0x5000, 64, STEAL, cpu=1) == (HANDLED, OK), "another vCPU has its own"
    assert call(theirs, 0, 0, STEAL) == (HANDLED, OK)
    assert call(theirs, 0x4000, 64, STEAL) == (HANDLED, OK)


def test_never_revoked():
    ours, theirs = both("never-revoked")
    for bench, answer, served in ((ours, OK, None), (theirs, EINVAL, 0x3000)):
        call(bench, 0x3000, 64, STEAL)
        assert call(bench, 0, 0, STEAL) == (HANDLED, answer)
        assert bench.serves("steal_time") == served


def test_user_carries_its_own():
    ours, theirs = both("user-carries-its-own")
    for bench, carried in ((ours, ()), (theirs, ((VM, TYPES["watchdog"], 0x4000, 64),))):
        call(bench, 0x3000, 64, STEAL)
        call(bench, 0x4000, 64, TYPES["watchdog"])
        saved = bench.machine.run(0, _saving(bench))
        assert saved == carried
        told = {(entry.cpu, entry.name): (entry.carried, entry.interface) for entry in _state(bench)}
        by_user = (True, "the VMM's own") if carried else (False, "none")
        assert told[0, "area steal_time"] == told[0, "number of areas"] == (False, "none")
        assert told[VM, "area watchdog"] == told[VM, "number of areas"] == by_user


def _saving(bench):
    from workbench.core.driver import host_side

    return host_side(bench.protocol.save(tuple(bench.machine.cpus.values())))


def _state(bench):
    return bench.protocol.state(bench.machine.entries, tuple(bench.machine.cpus.values()))


def test_own_layout():
    for bench, size in zip(both("own-layout", abi=Abi.I386), (24, 20), strict=True):
        bench.memory.store(SCRATCH, KVM_MEMORY_AREA.on(Abi.I386)(base=0x3000, size=64, type=STEAL).pack())
        loads = [step.what for _, step in serve(bench) if isinstance(step, Load) and step.gpa == SCRATCH]
        assert {(what if what.__class__.__name__ == "Layout" else what.on(Abi.X86_64)).size for what in loads} == {size}


def test_vector_register():
    ours, theirs = both("vector-register")
    assert [step.msr for step in guest_steps(ours, "async_pf") if isinstance(step, Wrmsr)] == [MSR]
    assert [step.msr for step in guest_steps(theirs, "async_pf") if isinstance(step, Wrmsr)] == [VECTOR_MSR, MSR]
    assert [step.msr for step in guest_steps(theirs, "steal_time") if isinstance(step, Wrmsr)] == [MSR]
    assert theirs.register("async_pf", 0x3000) is ACCEPTED
    assert theirs.machine.entries[register(0, VECTOR_MSR)] == HYPERVISOR_CALLBACK_VECTOR
    saved = theirs.machine.run(0, _saving(theirs))
    assert saved == ((0, VECTOR_MSR, HYPERVISOR_CALLBACK_VECTOR),)
    assert ("vector", "KVM_GET/SET_MSRS", True) in {(one.name, one.interface, one.carried) for one in _state(theirs)}


def test_refuse_unknown_types():
    ours, theirs = both("refuse-unknown-types")
    assert call(ours, 0x3000, 64, UNKNOWN_TYPE) == (HANDLED, OK)
    assert call(theirs, 0x3000, 64, UNKNOWN_TYPE) == (HANDLED, EINVAL)
    assert registry(0, UNKNOWN_TYPE) not in theirs.machine.entries
    assert call(theirs, 0x3000, 64, TYPES["watchdog"]) == (HANDLED, OK)


@pytest.mark.parametrize(
    ("name", "event", "feature", "code", "before", "after"),
    [
        ("success-is-one", "ignore-msrs", "steal_time", "F04", "FAILS", "NOT EXERCISED"),
        ("own-layout", "i386-guest", "steal_time", "F14", "FAILS", "HOLDS"),
        ("never-revoked", "kexec", "steal_time", "F01", "HOLDS", "FAILS"),
        ("user-carries-its-own", "migrate", "watchdog", "F02", "FAILS", "HOLDS"),
    ],
)
def test_a_reading_changes_a_verdict(name, event, feature, code, before, after):
    said = [
        explore_question(Question(variant(label), EVENTS[event], (FEATURES[feature],)), choose([code])).result
        for label in ("generic", f"generic+{name}")
    ]
    assert [one.verdicts[code] for one in said] == [before, after]
