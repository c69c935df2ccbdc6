"""Executes stubs on one vCPU: sets registers, runs, handles the exits on the way, decodes the result.

Everything here runs in the vCPU's own thread, as :class:`workbench.engines.kvm.guest.guest.Guest` ensures.
An access to an MSR that the filter deflects is answered by a callback while the vCPU waits in the exit.
"""

import struct
from typing import Any, NamedTuple

from workbench.core.outcome import FAULT, HANDLED, Outcome
from workbench.engines.kvm.api.exits import Exit, IoExit, MmioExit, MsrExit
from workbench.engines.kvm.api.ioctl import KVM_GET_LAPIC, KVM_GET_SREGS, KVM_SET_LAPIC, KVM_SET_SREGS
from workbench.engines.kvm.api.memory import Backing
from workbench.engines.kvm.api.vcpu import MP_RUNNABLE, Vcpu
from workbench.engines.kvm.guest import longmode, stubs
from workbench.engines.kvm.guest.exit_answers import ANSWERS, ARGUMENTS, WORD, ExitAnswers, OnMsrExit, signed
from workbench.engines.kvm.guest.threads import VcpuThread
from workbench.errors import EngineError, WorkbenchError

_ENTRY = {name: longmode.CODE + offset for name, offset in stubs.OFFSETS.items()}
_LOW = 0xFFFFFFFF
_RFLAGS = 2
_SPIV, _SPIV_ENABLE = 0xF0, 0x100


class StubResult(NamedTuple):
    """The result of one step."""

    outcome: Outcome
    exits: tuple[Exit, ...] = ()  #: exits to user space on the way, without the OUT that ends the stub
    value: Any = 0  #: what a RDMSR or an IN read, or a hypercall answered
    data: bytes = b""  #: what a load read


class Executor:
    """Executes stubs on one vCPU. The functions of ``exits`` may be replaced between steps."""

    def __init__(self, thread: VcpuThread, vcpu: Vcpu, cpus: int, own: Backing, on_msr_exit: OnMsrExit) -> None:
        self.thread, self.vcpu = thread, vcpu
        self.exits = ExitAnswers(vcpu, on_msr_exit)
        self._cpu, self._cpus, self._own = vcpu.number, cpus, own.bytes
        self._stack, self._bounce = longmode.stack_top(vcpu.number), longmode.bounce(vcpu.number)

    def prepare(self) -> None:
        """Put the vCPU into 64-bit mode at CPL 0, runnable, LAPIC enabled."""
        vcpu = self.vcpu
        vcpu.set_mp_state(MP_RUNNABLE)
        if vcpu.has_lapic:
            lapic = vcpu.get(KVM_GET_LAPIC)
            (spiv,) = struct.unpack_from("<I", lapic, _SPIV)
            struct.pack_into("<I", lapic, _SPIV, spiv | _SPIV_ENABLE)
            vcpu.set(KVM_SET_LAPIC, lapic)
        vcpu.set(KVM_SET_SREGS, longmode.enter(vcpu.get(KVM_GET_SREGS), self._cpu, self._cpus))
        vcpu.fetch_regs()

    def process_init(self) -> int:
        """Let KVM process a pending INIT, prepare the vCPU again; return the state INIT left it in."""
        state = self.vcpu.mp_state()  # reading the state is what makes KVM process the event
        self.prepare()
        return state

    # -- steps -------------------------------------------------------------------------------------------

    def nop(self) -> StubResult:
        """Enter the guest and return."""
        return self._step("nop")

    def wrmsr(self, msr: int, value: int) -> StubResult:
        """WRMSR at CPL 0."""
        return self._step("wrmsr", rcx=msr, rax=value & _LOW, rdx=value >> 32 & _LOW)

    def rdmsr(self, msr: int) -> StubResult:
        """RDMSR at CPL 0."""
        result = self._step("rdmsr", rcx=msr)
        if result.outcome is not HANDLED:
            return result
        rax, rdx = self.vcpu.rax_rdx()
        return result._replace(value=rdx << 32 | rax)

    def cpuid(self, leaf: int, subleaf: int) -> tuple[int, int, int, int]:
        """CPUID at CPL 0; eax, ebx, ecx, edx."""
        self._step("cpuid", rax=leaf, rcx=subleaf)
        regs = self.vcpu.regs()
        return regs.rax, regs.rbx, regs.rcx, regs.rdx

    def load(self, gpa: int, size: int) -> StubResult:
        """Load by one MOV where there is one of that size, else by REP MOVS."""
        _check_reach(gpa, size)
        if size in (1, 2, 4, 8):
            result = self._step(f"load {size}", rsi=gpa)
            rax, _ = self.vcpu.rax_rdx()
            return result._replace(data=(rax & (1 << 8 * size) - 1).to_bytes(size, "little"))
        exits: tuple[Exit, ...] = ()
        data = b""
        while len(data) < size:
            part = min(size - len(data), longmode.BOUNCE_BYTES)
            exits += self._copy(gpa + len(data), self._bounce, part)
            at = self._bounce - longmode.STUB_GPA
            data += self._own[at : at + part]
        return StubResult(HANDLED, exits, data=data)

    def store(self, gpa: int, data: bytes) -> StubResult:
        """Store by one MOV where there is one of that size, else by REP MOVS."""
        _check_reach(gpa, len(data))
        if len(data) in (1, 2, 4, 8):
            return self._step(f"store {len(data)}", rdi=gpa, rax=int.from_bytes(data, "little"))
        exits: tuple[Exit, ...] = ()
        for start in range(0, len(data), longmode.BOUNCE_BYTES):
            part = data[start : start + longmode.BOUNCE_BYTES]
            self._put(self._bounce, part)
            exits += self._copy(self._bounce, gpa + start, len(part))
        return StubResult(HANDLED, exits)

    def read_port(self, port: int, size: int) -> StubResult:
        """IN of 1, 2 or 4 bytes; ``value`` is what was read."""
        result = self._step(f"in {size}", rdx=port)
        return result._replace(value=self.vcpu.rax_rdx()[0] & (1 << 8 * size) - 1)

    def write_port(self, port: int, value: int, size: int) -> StubResult:
        """OUT of 1, 2 or 4 bytes."""
        return self._step(f"out {size}", rdx=port, rax=value)

    def hypercall(self, number: int, arguments: tuple[int, ...]) -> StubResult:
        """A hypercall carried by an OUT, so that the VMM can answer it; ``value`` is an int, or a tuple of them."""
        if len(arguments) > len(ARGUMENTS):
            raise WorkbenchError(f"hypercall {number}: {len(arguments)} arguments; a vCPU passes {len(ARGUMENTS)}")
        passed = {name: value & WORD for name, value in zip(ARGUMENTS, arguments, strict=False)}
        result = self._step("hypercall", rax=number & WORD, r10=len(arguments), **passed)
        regs, count = self.vcpu.regs(), self.exits.answered
        numbers = tuple(signed(getattr(regs, name)) for name in ANSWERS[: count or 1])
        return result._replace(value=numbers[0] if count is None else numbers)

    def count(self, iterations: int) -> StubResult:
        """Count down from ``iterations`` by DEC and JNZ."""
        return self._step("count", rcx=iterations)

    def wrmsr_loop(self, msr: int, value: int, times: int) -> StubResult:
        """The same WRMSR again and again, counted down by DEC and JNZ; for timing."""
        return self._step("wrmsr loop", rcx=msr, rax=value & _LOW, rdx=value >> 32 & _LOW, rsi=times)

    def spin(self) -> StubResult:
        """Loop for ever, until the watchdog stops the vCPU."""
        return self._step("spin")

    def halt(self) -> StubResult:
        """HLT with interrupts off."""
        return self._step("halt")

    def user(self, stub: str, rcx: int, rax_rdx: int = 0) -> StubResult:
        """Run a stub at CPL 3, entered by IRETQ; the vCPU is back at CPL 0 afterwards."""
        top = self._stack - 0x100  # below what an exception pushes from the top
        frame = (_ENTRY[stub], longmode.USER_CS, _RFLAGS, top, longmode.USER_SS)
        self._put(top - 40, struct.pack("<5Q", *frame))
        low, high = rax_rdx & _LOW, rax_rdx >> 32 & _LOW
        try:
            result = self._step("enter user", rcx=rcx, rax=low, rdx=high, rsp=top - 40)
            if result.outcome is FAULT and self._faulted_at() != (_ENTRY[stub], longmode.USER_CS):
                raise EngineError(f"CPL 3 could not be entered (vCPU {self._cpu}, step {stub})", "kvm")
            return result
        finally:
            self.prepare()

    def triple_fault(self) -> StubResult:
        """Fault with an empty IDT; the vCPU is made ready again afterwards."""
        self._put(self._bounce, bytes(10))
        try:
            return self._step("triple fault", rsi=self._bounce)
        finally:
            self.prepare()

    # -- inside ------------------------------------------------------------------------------------------

    def _copy(self, source: int, target: int, size: int) -> tuple[Exit, ...]:
        unit = 1 if size % 8 else 8
        return self._step(f"copy {unit}", rsi=source, rdi=target, rcx=size // unit).exits

    def _faulted_at(self) -> tuple[int, int]:
        """Return rip and cs that the exception pushed on the CPL 0 stack."""
        rip, cs = struct.unpack_from("<QQ", self._own, self._stack - longmode.STUB_GPA - 40)
        return rip, cs

    def _put(self, gpa: int, data: bytes) -> None:
        at = gpa - longmode.STUB_GPA
        self._own[at : at + len(data)] = data

    def _step(
        self, stub: str, *, rax: int = 0, rbx: int = 0, rcx: int = 0, rdx: int = 0, rsi: int = 0, rdi: int = 0,
        rsp: int = 0, r8: int = 0, r9: int = 0, r10: int = 0,
    ) -> StubResult:  # fmt: skip
        """Run one stub from its start to its OUT; registers that are not given hold 0."""
        if self.exits.is_answering:
            raise EngineError(f"vCPU {self._cpu} is waiting in an exit and cannot execute step {stub} now", "kvm")
        rest = (0, 0, 0, 0, 0, _ENTRY[stub], _RFLAGS)
        self.vcpu.set_regs((rax, rbx, rcx, rdx, rsi, rdi, rsp or self._stack, 0, r8, r9, r10, *rest))
        result = self._run(stub)
        self.exits.raise_failure()
        return result

    def _run(self, stub: str) -> StubResult:
        exits: list[Exit] = []
        accesses_port = stub in stubs.PORT_ACCESSES
        while True:
            reason = self.thread.run(self.vcpu, stub)
            if type(reason) is IoExit and not accesses_port:
                return StubResult(self._outcome(reason, stub), tuple(exits))
            exits.append(reason)
            if type(reason) in (MsrExit, MmioExit, IoExit):
                self.exits.answer(reason, carries_call=stub == "hypercall")
                accesses_port = accesses_port and type(reason) is not IoExit
            else:  # Hlt, Shutdown: the stub ends here
                return StubResult(FAULT, tuple(exits))

    def _outcome(self, end: IoExit, stub: str) -> Outcome:
        if end.port == stubs.DONE_PORT:
            return HANDLED
        vector = end.port - stubs.EXCEPTION_PORT
        if vector == stubs.GENERAL_PROTECTION:
            return FAULT
        raise EngineError(f"the guest took exception {vector} (vCPU {self._cpu}, step {stub})", "kvm")


def _check_reach(gpa: int, size: int) -> None:
    if size < 1 or gpa < 0 or gpa + size > longmode.STUB_GPA:
        allowed = f"1 byte or more below gpa {longmode.STUB_GPA:#x}"
        raise WorkbenchError(f"a guest access of {size} bytes at {gpa:#x} is not possible; allowed: {allowed}")
