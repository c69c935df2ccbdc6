"""Answers the exits of one vCPU that reach user space while a stub runs, by functions of the machine.

A register that the MSR filter deflects, a device, a port, and a hypercall that is carried through a port: KVM answers
VMCALL itself, so a hypercall of a protocol could not reach the protocol's handler otherwise.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

from workbench.engines.kvm.api.exits import Exit, IoExit, MmioExit, MsrExit
from workbench.engines.kvm.api.vcpu import Vcpu
from workbench.errors import EngineError


class MsrAnswer(NamedTuple):
    """The answer of user space to a deflected access: #GP, or ``data`` for a RDMSR."""

    error: bool = False
    data: int = 0


#: Called with the vCPU's number and its exit, in the vCPU's thread.
OnMsrExit = Callable[[int, MsrExit], MsrAnswer]
#: The same for an access to a device; returns the bytes that a read gets.
OnDeviceExit = Callable[[int, MmioExit | IoExit], bytes]
#: The same for a carried hypercall, with its number and arguments; returns what the guest gets.
OnCall = Callable[[int, int, tuple[int, ...]], int | tuple[int, ...]]

#: The registers of a hypercall's arguments, and of its answer (KVM: number and answer in RAX, then RBX, RCX, RDX, RSI).
ARGUMENTS = ("rbx", "rcx", "rdx", "rsi", "rdi", "r8", "r9")
ANSWERS = ("rax", *ARGUMENTS)
WORD = (1 << 64) - 1


def refuse_msr(cpu: int, access: MsrExit) -> MsrAnswer:
    """Answer a deflected access with #GP, as for an unknown register. The default."""
    return MsrAnswer(error=True)


def all_ones(cpu: int, access: MmioExit | IoExit) -> bytes:
    """Answer an access that no device claims. The default."""
    return b"\xff" * len(access.data)


def no_call(cpu: int, number: int, arguments: tuple[int, ...]) -> int | tuple[int, ...]:
    """Refuse to carry a hypercall. The default."""
    raise EngineError(f"vCPU {cpu} makes hypercall {number}, which nobody serves", "kvm")


class ExitAnswers:
    """The functions that answer a vCPU's exits.

    ``answered`` is the number of values in the last hypercall's answer, None if the answer was not a tuple.
    """

    def __init__(self, vcpu: Vcpu, on_msr_exit: OnMsrExit) -> None:
        self.vcpu, self.on_msr_exit = vcpu, on_msr_exit
        self.on_device: OnDeviceExit = all_ones
        self.on_call: OnCall = no_call
        self.is_answering = False
        self.answered: int | None = None
        self._failure: BaseException | None = None

    def answer(self, reason: Exit, *, carries_call: bool) -> None:
        """Answer one exit, which may carry a hypercall; an error is kept until the stub has ended."""
        if isinstance(reason, MsrExit):
            answer = self._ask(lambda: self.on_msr_exit(self.vcpu.number, reason), MsrAnswer(error=True))
            self.vcpu.answer_msr(error=answer.error, data=answer.data)
        elif isinstance(reason, IoExit) and carries_call:
            self._answer_call()
        elif isinstance(reason, IoExit | MmioExit):
            data = self._ask(lambda: self.on_device(self.vcpu.number, reason), bytes(len(reason.data)))
            if not reason.write:
                (self.vcpu.answer_mmio if isinstance(reason, MmioExit) else self.vcpu.answer_pio)(data)

    def raise_failure(self) -> None:
        """Raise what an answering function raised since the last call, if any did."""
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure

    def _answer_call(self) -> None:
        regs = self.vcpu.regs()
        arguments = tuple(getattr(regs, name) for name in ARGUMENTS[: regs.r10])
        answer = self._ask(lambda: self.on_call(self.vcpu.number, signed(regs.rax), arguments), 0)
        self.answered = len(answer) if isinstance(answer, tuple) else None
        numbers = answer if isinstance(answer, tuple) else (answer,)
        if len(numbers) > len(ANSWERS):
            raise EngineError(f"a hypercall answers {len(numbers)} numbers; registers hold {len(ANSWERS)}", "kvm")
        given = {name: value & WORD for name, value in zip(ANSWERS, numbers, strict=False)}
        self.vcpu.set_regs(regs._replace(**given))

    def _ask(self, answer: Callable[[], Any], otherwise: Any) -> Any:
        self.is_answering = True
        try:
            return answer()
        except BaseException as failure:  # noqa: BLE001 - the stub ends first, then it is raised
            self._failure = failure
            return otherwise
        finally:
            self.is_answering = False


def signed(word: int) -> int:
    """Return a register's content as a signed number."""
    return word - (1 << 64) if word >> 63 else word
