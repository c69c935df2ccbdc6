"""A guest whose steps are executed by real vCPUs: WRMSR, RDMSR, CPUID, loads, stores, halts and faults.

The rules kept here: a step is real guest code in a memslot of the engine's own (``longmode``); #GP is
returned as FAULT; the OUT that ends every stub is not counted as an exit of the guest. Every vCPU has a
thread of its own, unless all share one; every method may be called from any thread. Inside a job given to
:meth:`Guest.call` steps run without changing threads, which is two to three times as fast.

KVM may carry out a request (a payload update) only at the vCPU's next entry: :meth:`Guest.nop` enters once.
"""

from collections.abc import Callable, Iterable
from contextlib import ExitStack
from types import TracebackType
from typing import Self, TypeVar

from workbench.engines.kvm.api import cpuid
from workbench.engines.kvm.api.memory import GuestMemory
from workbench.engines.kvm.api.vcpu import Vcpu
from workbench.engines.kvm.api.vm import DELIVER_INIT, Vm
from workbench.engines.kvm.guest import longmode
from workbench.engines.kvm.guest.executor import Executor, StubResult
from workbench.engines.kvm.guest.exit_answers import MsrAnswer, OnCall, OnDeviceExit, OnMsrExit, refuse_msr
from workbench.engines.kvm.guest.threads import Pending, VcpuThread, Watchdog
from workbench.errors import EngineError, WorkbenchError

__all__ = ["Guest", "MsrAnswer", "OnMsrExit", "StubResult", "refuse_msr"]

T = TypeVar("T")


class Guest:
    """A VM with vCPUs in threads, in 64-bit mode at CPL 0. A context manager."""

    def __init__(
        self,
        cpus: int = 1,
        *,
        ram: Iterable[tuple[int, int]] = ((0, 0x200000),),
        deflect: Iterable[int] = (),
        on_msr_exit: OnMsrExit = refuse_msr,
        features: int | None = None,
        enforce_cpuid: bool = False,
        lapic: bool = True,
        manual_dirty_log: bool = False,
        one_thread: bool = False,
        limit: float = 2.0,
    ) -> None:
        """Create the VM, its RAM ``(gpa, size)``, and ``cpus`` vCPUs ready to execute steps.

        ``features`` are the bits of CPUID 0x40000001 EAX (default: all that KVM offers); ``enforce_cpuid``
        lets them decide which paravirtual MSRs exist. ``one_thread``: all vCPUs share a thread, so that a job can use
        each of them without changing threads, and no two run at the same time. ``limit``: seconds one run may last.
        """
        if not 1 <= cpus <= longmode.MAX_CPUS:
            raise WorkbenchError(f"a guest of {cpus} vCPUs: 1 to {longmode.MAX_CPUS} are possible")
        self.cpus = cpus
        self.deflected = frozenset(deflect)
        self._on_msr_exit, self._enforce, self._limit = on_msr_exit, enforce_cpuid, limit
        self._one_thread = one_thread
        self._executors: dict[int, Executor] = {}
        self._open = ExitStack()
        try:
            self.vm = Vm(manual_dirty_log=manual_dirty_log)
            self._open.callback(self.vm.close)
            self._watchdog = Watchdog()
            self._open.callback(self._watchdog.close)
            self._set_up(ram, features, lapic)
        except BaseException:
            self.close()
            raise

    def _set_up(self, ram: Iterable[tuple[int, int]], features: int | None, lapic: bool) -> None:
        size = longmode.slot_size(self.cpus)
        self._own = self.vm.memory.add(longmode.STUB_GPA, size, slot=longmode.STUB_SLOT).backing
        self._own.bytes[:] = longmode.image(self.cpus)
        for gpa, length in ram:
            self.vm.memory.add(gpa, length)
        if lapic:
            self.vm.create_lapics()
        if self.deflected:
            self.vm.deflect(self.deflected)
        offered = self.vm.supported_cpuid()
        self.cpuid_entries = offered if features is None else cpuid.with_pv_features(offered, features)
        for cpu in range(self.cpus):
            self._start_vcpu(cpu)

    def _start_vcpu(self, cpu: int) -> None:
        if self._one_thread and self._executors:
            thread = self._executors[0].thread
        else:
            thread = VcpuThread(cpu, self._limit)
            self._open.callback(thread.close)
            self._watchdog.watch(thread)
        self._executors[cpu] = thread.call(lambda: self._open_vcpu(cpu, thread))

    def _open_vcpu(self, cpu: int, thread: VcpuThread) -> Executor:
        vcpu = self.vm.create_vcpu(cpu)
        thread.adopt(vcpu)
        vcpu.set_cpuid(cpuid.for_vcpu(self.cpuid_entries, cpu))
        if self._enforce:
            vcpu.enforce_pv_cpuid()
        executor = Executor(thread, vcpu, self.cpus, self._own, self._on_msr_exit)
        executor.prepare()
        return executor

    @property
    def memory(self) -> GuestMemory:
        """The VM's guest memory."""
        return self.vm.memory

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop the vCPUs, end their threads, close the VM; may be called twice, and after errors."""
        self._open.close()

    # -- running things in a vCPU's thread -----------------------------------------------------------

    def executor(self, cpu: int) -> Executor:
        """Return the executor of ``cpu``, to be used only in that vCPU's own thread."""
        try:
            return self._executors[cpu]
        except KeyError:
            raise WorkbenchError(f"vCPU {cpu} does not exist; this guest has 0 to {self.cpus - 1}") from None

    def vcpu(self, cpu: int) -> Vcpu:
        """Return the vCPU itself, for its ioctls."""
        return self.executor(cpu).vcpu

    def submit(self, cpu: int, job: Callable[[], T]) -> Pending[T]:
        """Start ``job`` in the thread of vCPU ``cpu``; ``.result()`` waits for it."""
        return self.executor(cpu).thread.submit(job)

    def call(self, cpu: int, job: Callable[[], T]) -> T:
        """Run ``job`` in the thread of vCPU ``cpu`` and return its result."""
        return self.executor(cpu).thread.call(job)

    def answer_msrs_with(self, on_msr_exit: OnMsrExit) -> None:
        """From now on answer deflected accesses of every vCPU with ``on_msr_exit``."""
        for executor in self._executors.values():
            executor.exits.on_msr_exit = on_msr_exit

    def serve(self, on_device: OnDeviceExit, on_call: OnCall) -> None:
        """From now on answer accesses to devices and ports, and carried hypercalls, with these functions."""
        for executor in self._executors.values():
            executor.exits.on_device, executor.exits.on_call = on_device, on_call

    # -- state of a vCPU -----------------------------------------------------------------------------

    def prepare(self, cpu: int) -> None:
        """Put a vCPU into 64-bit mode at CPL 0, runnable, LAPIC enabled; no paravirtual MSR is touched."""
        self.call(cpu, self.executor(cpu).prepare)

    def init(self, cpu: int) -> int:
        """Send INIT to a vCPU through its LAPIC, let KVM process it, and prepare the vCPU again.

        Returns the multiprocessing state INIT left. Raises EngineError if the LAPIC does not take INIT.
        """
        executor = self.executor(cpu)
        if not self.vm.signal_msi(cpu, DELIVER_INIT):
            raise EngineError(f"INIT was not delivered to vCPU {cpu}: its LAPIC is disabled", "kvm")
        return self.call(cpu, executor.process_init)

    # -- steps ---------------------------------------------------------------------------------------

    def wrmsr(self, cpu: int, msr: int, value: int) -> StubResult:
        """The guest writes an MSR: HANDLED or FAULT (#GP)."""
        executor = self.executor(cpu)
        return executor.thread.call(lambda: executor.wrmsr(msr, value))

    def rdmsr(self, cpu: int, msr: int) -> StubResult:
        """The guest reads an MSR; ``value`` is what it read, if HANDLED."""
        executor = self.executor(cpu)
        return executor.thread.call(lambda: executor.rdmsr(msr))

    def wrmsr_user(self, cpu: int, msr: int, value: int) -> StubResult:
        """The guest tries to write an MSR at CPL 3; the CPU answers with #GP."""
        return self.call(cpu, lambda: self.executor(cpu).user("user wrmsr", msr, value))

    def cpuid(self, cpu: int, leaf: int, subleaf: int = 0) -> tuple[int, int, int, int]:
        """The guest executes CPUID; return eax, ebx, ecx, edx."""
        return self.call(cpu, lambda: self.executor(cpu).cpuid(leaf, subleaf))

    def load(self, cpu: int, gpa: int, size: int) -> StubResult:
        """The guest loads ``size`` bytes: one MOV for 1, 2, 4, 8 bytes, else REP MOVS. ``data`` has them.

        Bytes that no memslot backs read as 0xff; each such access is a MmioExit in ``exits``.
        """
        executor = self.executor(cpu)
        return executor.thread.call(lambda: executor.load(gpa, size))

    def store(self, cpu: int, gpa: int, data: bytes) -> StubResult:
        """The guest stores ``data``: one MOV for 1, 2, 4, 8 bytes, else REP MOVS.

        Stores that no writable memslot takes are dropped; each is a MmioExit in ``exits``.
        """
        executor = self.executor(cpu)
        return executor.thread.call(lambda: executor.store(gpa, data))

    def nop(self, cpu: int) -> StubResult:
        """Enter the guest once and return: KVM carries out what it had deferred to the next entry."""
        return self.call(cpu, self.executor(cpu).nop)

    def count(self, cpu: int, iterations: int, *, user: bool = False) -> StubResult:
        """The guest counts down from ``iterations`` (below 2**32), at CPL 0, or at CPL 3 if ``user``."""
        executor = self.executor(cpu)
        if user:
            return self.call(cpu, lambda: executor.user("user count", iterations))
        return self.call(cpu, lambda: executor.count(iterations))

    def spin(self, cpu: int) -> StubResult:
        """The guest loops for ever: always ends in the watchdog's EngineError."""
        return self.call(cpu, self.executor(cpu).spin)

    def halt(self, cpu: int) -> StubResult:
        """The guest executes HLT: ``exits`` is (Hlt,); with an in-kernel LAPIC it never comes back."""
        return self.call(cpu, self.executor(cpu).halt)

    def triple_fault(self, cpu: int) -> StubResult:
        """The guest faults without an IDT: ``exits`` ends with Shutdown. The vCPU is prepared again."""
        return self.call(cpu, self.executor(cpu).triple_fault)
