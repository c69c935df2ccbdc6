"""Calls of the generic registration, for its tests: what a guest that checks nothing asks; the steps of the host."""

from workbench.clayout.layout import Abi
from workbench.core.driver import host_side
from workbench.core.host_state import VM
from workbench.core.outcome import HANDLED
from workbench.core.relay import driven, relayed
from workbench.core.steps import KERNEL, USER, Wrmsr
from workbench.engines.simulate.by_hand import SCRATCH
from workbench.features import FEATURES
from workbench.protocols.generic import (
    KVM_MEMORY_AREA,
    RESULT,
    TYPES,
)

MSR = 0x4B56_4D03
HOLE = 0x30_0000
KERNEL_SERVED = [name for name in TYPES if FEATURES[name].served_by == "kernel"]
USER_SERVED = [name for name in TYPES if FEATURES[name].served_by == "user"]
UNKNOWN_TYPE = 0x1234


def owner_of(name):
    return VM if FEATURES[name].scope == "vm" else 0


def call(bench, base, size, kind, *, at=SCRATCH, cpu=0, abi=Abi.X86_64):
    """Register like a guest that checks nothing; return the outcome and result."""
    bench.memory.store(at, KVM_MEMORY_AREA.on(abi)(base=base, size=size, type=kind, result=0xEE).pack())
    outcome = bench.wrmsr(MSR, at, cpu)
    return outcome, bench.number(at + RESULT, 1)


def host_steps(bench, program):
    """Run a guest program, return the (side, step) that its handlers performed."""
    seen = []

    def listening(step):
        seen.append(step)
        return (yield step)

    bench.machine.run(0, relayed(program, listening))
    return [step for step in seen if step[0] in (KERNEL, USER)]


def serve(bench, value=SCRATCH):
    """Return the steps of the host's handler for a write of ``value``."""
    return host_steps(bench, host_side(bench.protocol.on_wrmsr(bench.machine.cpus[0], MSR, value)))


def guest_steps(bench, name, gpa=0x3000):
    """Return what the guest's registration yields when everything answers 0 or HANDLED."""
    steps = []

    def answered(step):
        steps.append(step)
        return HANDLED if isinstance(step, Wrmsr) else 0

    driven(bench.protocol.register(bench.machine.cpus[0], FEATURES[name], gpa), answered)
    return steps
