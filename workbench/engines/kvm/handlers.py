"""The protocol's handlers as the VMM of a real machine: they answer what leaves the guest and KVM does not serve.

The rule kept here: one exit at a time, as under QEMU's big lock, while the vCPU waits in its exit.
"""

import threading
from collections.abc import Mapping
from typing import Any

from workbench.core.contracts import Protocol
from workbench.core.driver import claimed, hypercall, mmio, port_io, register_access
from workbench.core.outcome import FAULT
from workbench.core.steps import Hypercall, Program, Rdmsr, Wrmsr
from workbench.engines.kvm.api.exits import IoExit, MmioExit, MsrExit
from workbench.engines.kvm.guest.exit_answers import MsrAnswer, all_ones
from workbench.engines.kvm.programs import device_step
from workbench.engines.kvm.world import KvmWorld


class Handlers:
    """Serves exits of all vCPUs by ``protocol``; ``worlds`` by vCPU. Called in the threads of the vCPUs."""

    def __init__(self, protocol: Protocol, worlds: Mapping[int, KvmWorld]) -> None:
        self._protocol, self._worlds = protocol, worlds
        self._lock = threading.Lock()

    def carry_out(self, cpu: int, stream: Program) -> Any:
        """Carry out a stream of (side, step) for one vCPU to its end, while no other handler runs."""
        with self._lock:
            return self._worlds[cpu].carry_out(stream)

    def msr(self, cpu: int, access: MsrExit) -> MsrAnswer:
        """Serve a deflected register access."""
        step = Wrmsr(access.index, access.data) if access.write else Rdmsr(access.index)
        result = self.carry_out(cpu, register_access(self._protocol, step))
        if result is FAULT:
            return MsrAnswer(error=True)
        return MsrAnswer() if access.write else MsrAnswer(data=result)

    def device(self, cpu: int, access: MmioExit | IoExit) -> bytes:
        """Serve an access to a device of the protocol; what it does not claim reads as all ones."""
        step = device_step(access)
        ranges = self._protocol.mmio if isinstance(access, MmioExit) else self._protocol.ports
        if claimed(ranges, step[0], len(access.data)) is None:
            return all_ones(cpu, access)
        serve = mmio if isinstance(access, MmioExit) else port_io
        result = self.carry_out(cpu, serve(self._protocol, step))
        return bytes(0) if access.write else int(result).to_bytes(len(access.data), "little")

    def call(self, cpu: int, number: int, arguments: tuple[int, ...]) -> int | tuple[int, ...]:
        """Serve a carried hypercall."""
        answer = self.carry_out(cpu, hypercall(self._protocol, Hypercall(number, arguments)))
        return tuple(answer) if isinstance(answer, tuple) else int(answer)
