"""A machine on which one protocol is tried by hand: the guest's instructions, the VMM's ioctls, time and events."""

from workbench.core.driver import guest_side, host_read, host_side, host_write
from workbench.core.host_state import area, register
from workbench.core.machine import Machine
from workbench.core.steps import Rdmsr, Wrmsr
from workbench.core.vcpu import KVM_SUPPORTED, Host, Vcpu
from workbench.features import FEATURES, choose

SLOT_END = 0x20_0000
#: Where the guest of vCPU n keeps its descriptor.
SCRATCH = 0x8000
KNOWING = Host()


class Bench:
    """One slot of RAM [0, 2 MiB), as the measurements of real KVM had; all features unless named."""

    def __init__(
        self, kind, *, mitigations=(), features=None, vcpus=1, host=KNOWING, cpuid=KVM_SUPPORTED,
        enforce=False, encrypted=False, **circumstances,
    ):  # fmt: skip
        self.protocol = kind(choose(features), mitigations)
        self.machine = Machine(
            [
                Vcpu(n, SCRATCH + 0x100 * n, cpuid=cpuid, enforce_cpuid=enforce, host=host, **circumstances)
                for n in range(vcpus)
            ],
            encrypted=encrypted,
        )
        self.memory = self.machine.memory
        self.counts = self.machine.counts
        self.memory.add(0, SLOT_END)

    # -- the guest ---------------------------------------------------------------------------------

    def guest(self, program, cpu=0, cpl=0):
        """Run a guest program; return what it returns."""
        return self.machine.run(cpu, guest_side(self.protocol, program, cpl=cpl))

    def wrmsr(self, msr, value, cpu=0, cpl=0):
        return self.guest(_one(Wrmsr(msr, value)), cpu, cpl)

    def rdmsr(self, msr, cpu=0, cpl=0):
        return self.guest(_one(Rdmsr(msr)), cpu, cpl)

    def register(self, name, gpa, cpu=0, cpl=0):
        record = self.machine.cpus[cpu]
        return self.guest(self.protocol.register(record, FEATURES[name], gpa), cpu, cpl)

    def unregister(self, name, gpa, cpu=0):
        return self.guest(self.protocol.unregister(self.machine.cpus[cpu], FEATURES[name], gpa), cpu)

    # -- the host ----------------------------------------------------------------------------------

    def host(self, program, cpu=0):
        """Run a host program; return what it returns."""
        return self.machine.run(cpu, host_side(program))

    def set_msr(self, msr, value, cpu=0):
        return self.machine.run(cpu, host_write(self.protocol, self.machine.cpus[cpu], msr, value))

    def get_msr(self, msr, cpu=0):
        return self.machine.run(cpu, host_read(self.protocol, self.machine.cpus[cpu], msr))

    def enter(self, cpu=0):
        self.host(self.protocol.on_entry(self.machine.cpus[cpu]), cpu)

    def init(self, cpu=0):
        self.host(self.protocol.on_init(self.machine.cpus[cpu]), cpu)

    def migrate(self):
        """Save, arrive on a host that remembers nothing, restore; return what was carried."""
        cpus = tuple(self.machine.cpus.values())
        saved = self.host(self.protocol.save(cpus))
        self.machine.entries.clear()
        self.host(self.protocol.restore(cpus, saved))
        return saved

    # -- questions ---------------------------------------------------------------------------------

    def load(self, gpa, size):
        return self.memory.load(gpa, size)

    def number(self, gpa, size=4):
        return int.from_bytes(self.memory.load(gpa, size), "little")

    def area(self, name, owner=0):
        """Return where the host writes ``name`` now."""
        return self.machine.entries.get(area(owner, name))

    def value(self, msr, owner=0):
        return self.machine.entries.get(register(owner, msr))

    def state(self):
        """Return the registration state that a migration would have to carry."""
        return self.protocol.state(self.machine.entries, list(self.machine.cpus.values()))


def _one(step):
    return (yield step)
