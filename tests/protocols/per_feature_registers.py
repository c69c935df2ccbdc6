"""The registers of KVM by short names, for the tests of per_feature."""

from workbench.core.outcome import HANDLED
from workbench.core.relay import driven

WALL, CLOCK = 0x4B56_4D00, 0x4B56_4D01
APF_EN, STEAL, EOI, POLL, APF_INT, APF_ACK, MIGRATION = range(0x4B56_4D02, 0x4B56_4D09)
OLD_WALL, OLD_CLOCK = 0x11, 0x12
HOLE = 0x30_0000
#: What a Linux guest leaves in the registers of one vCPU.
LINUX = {CLOCK: 0x3001, WALL: 0x3100, APF_INT: 0xF3, APF_EN: 0x3209, EOI: 0x3301, STEAL: 0x3401}


def register_all(bench, cpu=0):
    for msr, value in LINUX.items():
        assert bench.wrmsr(msr, value + (0 if msr == APF_INT else 0x1000 * cpu), cpu) is HANDLED


def yields_of(program):
    """Return the steps of a guest program whose register accesses all succeed."""
    steps = []

    def answered(step):
        steps.append(step)
        return HANDLED

    return steps, driven(program, answered)
