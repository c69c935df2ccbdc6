"""A machine for trying a protocol by hand: one operation at a time, each run to its end by the simulator.

    bench = Bench(Generic(choose()))
    bench.register("kvmclock", 0x1000)       # what the guest concludes: ACCEPTED

RAM is [0, 2 MiB), the descriptor of vCPU n is at 0x8000 + 0x100 * n.
"""

from __future__ import annotations

from typing import Any

from workbench.core.contracts import Feature, Protocol, StateEntry
from workbench.core.driver import guest_side, host_read, host_side, host_write
from workbench.core.host_state import VM, area
from workbench.core.machine import Machine
from workbench.core.rules.returned import checked
from workbench.core.steps import Hypercall, MmioRead, MmioWrite, PioRead, PioWrite, Program, Rdmsr, Wrmsr
from workbench.core.vcpu import Vcpu
from workbench.errors import WorkbenchError, unknown

RAM_END = 0x20_0000
SCRATCH = 0x8000


class Bench:
    """A guest of a few vCPUs under one protocol; ``circumstances`` are fields of :class:`Vcpu` (abi, host ...).

    Features are named, out of those that the protocol was made for. An operation returns what its program returns;
    raises WorkbenchError for a feature or vCPU that is not there.
    """

    def __init__(
        self, protocol: Protocol, *, vcpus: int = 1, encrypted: bool = False, **circumstances: Any
    ) -> None:
        self.protocol = protocol
        records = [Vcpu(n, SCRATCH + 0x100 * n, **circumstances) for n in range(vcpus)]
        self.machine = Machine(records, encrypted=encrypted)
        self.memory = self.machine.memory
        self.counts = self.machine.counts
        self.memory.add(0, RAM_END)

    def run(self, what: str, cpu: int, stream: Program) -> Any:
        """Run one operation, called ``what``, on an existing vCPU; every operation uses this method."""
        return self.machine.run(cpu, stream)

    # -- the guest -----------------------------------------------------------------------------------

    def guest(self, program: Program, cpu: int = 0, *, cpl: int = 0, what: str = "guest program") -> Any:
        """Run a guest program on vCPU ``cpu`` to its end."""
        self._cpu(cpu)
        return self.run(f"{what}, vCPU {cpu}", cpu, guest_side(self.protocol, program, cpl=cpl))

    def prepare(self, name: str, gpa: int, cpu: int = 0) -> Any:
        """The guest initialises an area as its ABI requires."""
        return self.guest(self._feature(name).prepare(gpa), cpu, what=f"prepare {name} at {gpa:#x}")

    def register(self, name: str, gpa: int, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest registers a feature at ``gpa``."""
        feature = self._feature(name)
        if not self.protocol.supports(feature):
            raise WorkbenchError(f"protocol {self.protocol.name!r} has no way to name the feature {name!r}")
        program = self._answering(self.protocol.register(self._cpu(cpu), feature, gpa))
        return self.guest(program, cpu, cpl=cpl, what=f"register {name} at {gpa:#x}")

    def unregister(self, name: str, gpa: int, cpu: int = 0) -> Any:
        """The guest revokes a feature."""
        program = self.protocol.unregister(self._cpu(cpu), self._feature(name), gpa)
        return self.guest(program, cpu, what=f"revoke {name}")

    def read(self, name: str, gpa: int, cpu: int = 0) -> Any:
        """The guest reads a payload as its ABI says."""
        return self.guest(self._feature(name).read(gpa), cpu, what=f"read {name} at {gpa:#x}")

    def wrmsr(self, msr: int, value: int, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest writes a register; the result is HANDLED or FAULT."""
        return self.guest(_one(Wrmsr(msr, value)), cpu, cpl=cpl, what=f"WRMSR {msr:#x} = {value:#x}")

    def rdmsr(self, msr: int, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest reads a register; the result is its value, or FAULT."""
        return self.guest(_one(Rdmsr(msr)), cpu, cpl=cpl, what=f"RDMSR {msr:#x}")

    def hypercall(self, number: int, *arguments: int, cpu: int = 0, cpl: int = 0) -> Any:
        """The guest makes a hypercall; the result is its answer."""
        said = ", ".join(hex(value) for value in arguments)
        what = f"{self.protocol.call_instruction} {number}({said})"
        return self.guest(_one(Hypercall(number, arguments)), cpu, cpl=cpl, what=what)

    def mmio_write(self, gpa: int, value: int, size: int = 4, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest writes to a device in memory; the result is HANDLED, or FAULT above CPL 0."""
        what = f"write {value:#x} ({size} bytes) to the device at {gpa:#x}"
        return self.guest(_one(MmioWrite(gpa, value, size)), cpu, cpl=cpl, what=what)

    def mmio_read(self, gpa: int, size: int = 4, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest reads a device in memory; the result is its answer, or FAULT above CPL 0."""
        return self.guest(_one(MmioRead(gpa, size)), cpu, cpl=cpl, what=f"read {size} bytes of the device at {gpa:#x}")

    def out(self, port: int, value: int, size: int = 4, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest writes to an I/O port; the result is HANDLED, or FAULT above CPL 0."""
        return self.guest(_one(PioWrite(port, value, size)), cpu, cpl=cpl, what=f"OUT {port:#x} = {value:#x}")

    def in_(self, port: int, size: int = 4, cpu: int = 0, *, cpl: int = 0) -> Any:
        """The guest reads an I/O port; the result is its answer, or FAULT above CPL 0."""
        return self.guest(_one(PioRead(port, size)), cpu, cpl=cpl, what=f"IN {port:#x}")

    # -- the host ------------------------------------------------------------------------------------

    def host(self, program: Program, cpu: int = 0, *, what: str = "host program") -> Any:
        """Run a host program for vCPU ``cpu`` to its end."""
        self._cpu(cpu)
        return self.run(f"{what}, vCPU {cpu}", cpu, host_side(program))

    def enter(self, cpu: int = 0) -> Any:
        """The vCPU enters the guest: pending updates are delivered."""
        return self.host(self.protocol.on_entry(self._cpu(cpu)), cpu, what="enter the guest")

    def update(self, name: str, gpa: int, cpu: int = 0) -> Any:
        """The host writes a payload once, wherever it is registered."""
        program = self._feature(name).update(cpu, gpa, self.machine.now())
        return self.host(program, cpu, what=f"update {name} at {gpa:#x}")

    def init(self, cpu: int = 0) -> Any:
        """The vCPU receives INIT."""
        return self.host(self.protocol.on_init(self._cpu(cpu)), cpu, what="INIT")

    def set_msr(self, msr: int, value: int, cpu: int = 0) -> Any:
        """The VMM writes a register (KVM_SET_MSRS); the result is whether KVM accepted it."""
        stream = host_write(self.protocol, self._cpu(cpu), msr, value)
        return self.run(f"KVM_SET_MSRS {msr:#x} = {value:#x}, vCPU {cpu}", cpu, stream)

    def get_msr(self, msr: int, cpu: int = 0) -> Any:
        """The VMM reads a register (KVM_GET_MSRS); the result is its value, or None if KVM has no such register."""
        return self.run(f"KVM_GET_MSRS {msr:#x}, vCPU {cpu}", cpu, host_read(self.protocol, self._cpu(cpu), msr))

    def migrate(self) -> tuple[Any, ...]:
        """Save, arrive with the same memory on a host without state, restore; return the saved state."""
        cpus = tuple(self.machine.cpus.values())
        saved: tuple[Any, ...] = self.machine.run(0, host_side(self.protocol.save(cpus)))
        self.machine.entries.clear()
        self.machine.run(0, host_side(self.protocol.restore(cpus, saved)))
        return saved

    # -- questions -----------------------------------------------------------------------------------

    def serves(self, name: str, owner: int | None = None) -> int | None:
        """Return where the host writes a feature of ``owner`` now (vCPU 0, or the VM); None if nowhere."""
        if owner is None:
            owner = VM if self._feature(name).scope == "vm" else 0
        found: int | None = self.machine.entries.get(area(owner, name))
        return found

    def state(self) -> list[StateEntry]:
        """Return the state that a migration would have to transfer."""
        return self.protocol.state(self.machine.entries, tuple(self.machine.cpus.values()))  # type: ignore[arg-type]

    def number(self, gpa: int, size: int = 4) -> int:
        """Return the number in ``size`` bytes of guest memory."""
        return int.from_bytes(self.memory.load(gpa, size), "little")

    # -- inside --------------------------------------------------------------------------------------

    def _cpu(self, index: int) -> Vcpu:
        if index not in self.machine.cpus:
            raise WorkbenchError(f"vCPU {index}: this machine has vCPUs 0 to {len(self.machine.cpus) - 1}")
        return self.machine.cpus[index]

    def _answering(self, program: Program) -> Program:
        return checked(self.protocol, "register", (yield from program))

    def _feature(self, name: str) -> Feature:
        known = self.protocol.by_name
        if name not in known:
            raise unknown("feature", name, known)
        return known[name]


def _one(step: Any) -> Program:
    return (yield step)
