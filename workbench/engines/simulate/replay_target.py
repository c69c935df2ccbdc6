"""Replay on the simulator: the operations of ``workbench.core.replay_target`` on a concrete machine.

The rule kept here: a guest access is an entry into the guest, the exit it causes, and the protocol's handler;
the handler's answer is reported unchanged, UNKNOWN included. This file contains no rule of a protocol.
"""

from typing import Any

from workbench.core.contracts import Protocol
from workbench.core.driver import host_read, host_side, host_write, served
from workbench.core.machine import Machine
from workbench.core.memory import PAGE_SHIFT
from workbench.core.outcome import FAULT, HANDLED, Outcome
from workbench.core.replay_target import Engine, MachineSpec, Reading
from workbench.core.steps import GUEST, Rdmsr, Side, Wrmsr
from workbench.core.vcpu import Host, Vcpu


class SimulatedTarget:
    """A simulated machine that carries out replay operations; the same operations give the same bytes.

    With ``log_dirty``, :meth:`dirty_pages` can be asked.
    """

    tells_unknown = True

    def __init__(self, spec: MachineSpec, protocol: Protocol, *, log_dirty: bool = False) -> None:
        host = Host(irqchip=spec.irqchip)
        self._dirty: set[int] = set()  #: page frames of present memory that the host wrote
        self.protocol = protocol
        self.machine = Machine(Vcpu(index, host=host) for index in range(spec.vcpus))
        if log_dirty:
            self.machine.on_host_store = self._wrote

    # -- memory ----------------------------------------------------------------------------------------

    def add_ram(self, gpa: int, size: int) -> None:
        self.machine.memory.add(gpa, size)

    def delete_ram(self, gpa: int) -> None:
        slot = self.machine.memory.find(gpa)
        self.machine.memory.delete(gpa)
        if slot is not None and self._dirty:
            self._dirty.difference_update(range(slot.gpa >> PAGE_SHIFT, slot.end >> PAGE_SHIFT))

    def store(self, gpa: int, data: bytes) -> Outcome:
        return HANDLED if self.machine.memory.poke(gpa, data, GUEST) else FAULT

    def load(self, gpa: int, size: int) -> bytes | None:
        return self.machine.memory.peek(gpa, size, GUEST)

    def dirty_pages(self) -> frozenset[int]:
        """Return the page frames (gpa >> 12) of present RAM that the host wrote since the last call."""
        pages = frozenset(self._dirty)
        self._dirty.clear()
        return pages

    def _wrote(self, gpa: int, size: int, side: Side) -> None:
        self._dirty.update(range(gpa >> PAGE_SHIFT, (gpa + size - 1 >> PAGE_SHIFT) + 1))

    # -- registers -------------------------------------------------------------------------------------

    def wrmsr(self, cpu: int, msr: int, value: int) -> Outcome:
        outcome: Outcome = self._access(cpu, Wrmsr(msr, value))
        return outcome

    def rdmsr(self, cpu: int, msr: int) -> Reading:
        answer = self._access(cpu, Rdmsr(msr))
        return Reading(answer) if isinstance(answer, Outcome) else Reading(HANDLED, answer)

    def host_set_msr(self, cpu: int, msr: int, value: int) -> bool:
        machine = self.machine
        accepted: bool = machine.run(cpu, host_write(self.protocol, machine.cpus[cpu], msr, value))
        return accepted

    def host_get_msr(self, cpu: int, msr: int) -> int | None:
        machine = self.machine
        value: int | None = machine.run(cpu, host_read(self.protocol, machine.cpus[cpu], msr))
        return value

    def set_cpuid(self, cpu: int, features: frozenset[int], enforce: bool) -> None:
        cpus = self.machine.cpus
        cpus[cpu] = cpus[cpu].but(cpuid=features, enforce_cpuid=enforce)

    # -- the vCPU and its host -------------------------------------------------------------------------

    def run(self, cpu: int) -> None:
        self.machine.run(cpu, host_side(self.protocol.on_entry(self.machine.cpus[cpu])))

    def init(self, cpu: int) -> None:
        self.machine.run(cpu, host_side(self.protocol.on_init(self.machine.cpus[cpu])))

    def kvmclock_ctrl(self, cpu: int) -> bool:
        machine = self.machine
        accepted: bool = machine.run(cpu, host_side(self.protocol.on_guest_stopped(machine.cpus[cpu])))
        return accepted

    def migrate(self) -> None:
        machine = self.machine
        cpus = tuple(machine.cpus.values())
        saved = machine.run(0, host_side(self.protocol.save(cpus)))
        machine.entries.clear()
        self._dirty.clear()  # the dirty log belongs to the host that was left
        machine.run(0, host_side(self.protocol.restore(cpus, saved)))

    def close(self) -> None:
        """Do nothing: the machine holds only memory of this process."""

    # -- inside ----------------------------------------------------------------------------------------

    def _access(self, cpu: int, step: Wrmsr | Rdmsr) -> Any:
        self.run(cpu)
        _, answer = self.machine.run(cpu, served(self.protocol, step))
        return answer


ENGINE = Engine("sim", lambda: None, SimulatedTarget)
