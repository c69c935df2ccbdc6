"""Turns a guest program into one stream of (side, step), calling the handler of each access that leaves the guest.

The guest program of the vCPU waits while the host's handler runs; the handler's steps appear in the same
stream, marked KERNEL or USER, so that an engine can run anything between any two of them. The rules in this file
belong to the architecture and to KVM's dispatch, not to a protocol:

* WRMSR and RDMSR above CPL 0 take #GP without an exit to the host (Intel SDM, WRMSR). So do IN and OUT; and a page of a
  device is mapped for the kernel only.
* A hypercall above CPL 0 leaves the guest and is refused by KVM (-KVM_EPERM; ____kvm_emulate_hypercall).
* An access to a register that the protocol does not claim is UNKNOWN. The VMM serves it if it asked for such exits
  (KVM_CAP_X86_USER_SPACE_MSR), and keeps one value for the VM in a variable of its own; otherwise the access
  has no effect under kvm.ignore_msrs, or the guest takes #GP (Linux arch/x86/kvm/x86.c, kvm_do_msr_access).
* A hypercall that neither the protocol nor KVM claims answers ``Protocol.unknown_hypercall`` (KVM: -KVM_ENOSYS).
* An access to a device goes to the VMM, unless the kernel serves the range (KVM_IOEVENTFD, an in-kernel device).
  If nobody claims it, the VMM reads all ones and ignores writes, as QEMU's unassigned memory does.
"""

from collections.abc import Callable
from typing import Any

from workbench.clayout.types import U8, U16, U32, U64
from workbench.core.contracts import Protocol
from workbench.core.contracts.protocol import IoRange
from workbench.core.host_state import VM, register
from workbench.core.hypercalls import KVM_EPERM, KVM_HYPERCALLS
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Outcome
from workbench.core.rules.place import at_step
from workbench.core.rules.returned import checked
from workbench.core.rules.wording import value_said
from workbench.core.steps import (
    GUEST,
    KERNEL,
    USER,
    Exit,
    Get,
    Hypercall,
    Load,
    MmioRead,
    MmioWrite,
    PioRead,
    PioWrite,
    Program,
    Rdmsr,
    Set,
    Side,
    Store,
    ToUser,
    Wrmsr,
)
from workbench.core.vcpu import Vcpu
from workbench.errors import WorkbenchError

_SCALAR = {1: U8, 2: U16, 4: U32, 8: U64}
#: What a register holds: a handler sees arguments without sign.
REGISTER = (1 << 64) - 1
MMIO_SIZES, PIO_SIZES = (1, 2, 4, 8), (1, 2, 4)


def guest_side(protocol: Protocol, program: Program, *, cpl: int = 0) -> Program:
    """Drive a guest program, serving what leaves the guest by ``protocol``; return what it returns."""
    answer: Any = None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        serve = _SERVED.get(type(step))
        if serve is None:
            answer = yield GUEST, step
        else:
            try:
                answer = yield from serve(protocol, step, cpl)
            except WorkbenchError as error:
                raise at_step(error, program, step) from None


def _register(protocol: Protocol, step: Wrmsr | Rdmsr, cpl: int) -> Program:
    _check_number(step, "msr", 32)
    if isinstance(step, Wrmsr):
        _check_number(step, "value", 64)
    return FAULT if cpl else (yield from register_access(protocol, step))


def register_access(protocol: Protocol, step: Wrmsr | Rdmsr) -> Program:
    """One exit for a register access, its handler, and the policy for registers that the protocol does not claim."""
    cpu, result = yield from served(protocol, step)
    if result is UNKNOWN:
        result = yield from unclaimed(cpu, step)
    return result


def served(protocol: Protocol, step: Wrmsr | Rdmsr) -> Program:
    """One exit for a register access and its handler; return the vCPU's record and the handler's answer.

    The answer is UNKNOWN if the protocol does not claim the register; no policy for that is applied.
    """
    writes = type(step) is Wrmsr
    cpu: Vcpu = yield GUEST, Exit("wrmsr" if writes else "rdmsr", step.msr)
    if not cpu.host.knows_protocol or step.msr not in protocol.msrs:
        return cpu, UNKNOWN
    if isinstance(step, Wrmsr):
        outcome = yield from host_side(protocol.on_wrmsr(cpu, step.msr, step.value))
        return cpu, outcome if type(outcome) is Outcome else checked(protocol, "on_wrmsr", outcome)
    return cpu, checked(protocol, "on_rdmsr", (yield from host_side(protocol.on_rdmsr(cpu, step.msr))))


def unclaimed(cpu: Vcpu, step: Wrmsr | Rdmsr) -> Program:
    """Apply the host's policy to an access to a register that KVM does not know; return the guest's answer."""
    done = HANDLED if isinstance(step, Wrmsr) else 0
    if step.msr in cpu.host.user_msrs:
        yield KERNEL, ToUser("unknown msr")
        if isinstance(step, Wrmsr):
            yield USER, Set(register(VM, step.msr), step.value)
            return done
        value = yield USER, Get(register(VM, step.msr))
        return done if value is None else value
    return done if cpu.host.ignore_msrs else FAULT


def hypercall(protocol: Protocol, step: Hypercall, cpl: int = 0) -> Program:
    """One exit for a hypercall and its handler; return the answer that the guest gets. Arguments have no sign."""
    if type(step.arguments) is not tuple or not all(isinstance(one, int) for one in step.arguments):
        raise WorkbenchError(
            f"{step!r}: the arguments are what the registers hold, a tuple of numbers; write Hypercall(number, (a, b))"
        )
    passed = tuple(one & REGISTER if type(one) is int and one < 0 else one for one in step.arguments)
    cpu: Vcpu = yield GUEST, Exit("hypercall", step.number, passed, protocol.call_instruction)
    if cpl:
        # An ABI with several result registers is not KVM's x86 one: its call does not leave user mode for the host.
        return protocol.unknown_hypercall if isinstance(protocol.unknown_hypercall, tuple) else -KVM_EPERM
    result: Any = UNKNOWN
    if cpu.host.knows_protocol and step.number in protocol.hypercalls:
        answer = yield from host_side(protocol.on_hypercall(cpu, step.number, passed))
        result = checked(protocol, "on_hypercall", answer)
    elif step.number in KVM_HYPERCALLS:
        result = yield from KVM_HYPERCALLS[step.number](passed)
    return protocol.unknown_hypercall if result is UNKNOWN else result


def mmio(protocol: Protocol, step: MmioRead | MmioWrite, cpl: int = 0) -> Program:
    """One exit for a memory-mapped access to a device, and its handler; what nobody claims is an ordinary access."""
    _check_width(step, MMIO_SIZES)
    if cpl:
        return FAULT
    device = claimed(protocol.mmio, step.gpa, step.size)
    reads = type(step) is MmioRead
    if device is not None:
        said = (step.size,) if reads else (step.size, step.value)  # type: ignore[union-attr]
        cpu: Vcpu = yield GUEST, Exit("mmio", step.gpa, said)
        if cpu.host.knows_protocol:
            return (yield from _device(protocol, cpu, step, device))
        yield KERNEL, ToUser("nobody's device")
        return (1 << 8 * step.size) - 1 if reads else HANDLED
    scalar = _SCALAR[step.size]
    if isinstance(step, MmioRead):
        return (yield GUEST, Load(step.gpa, scalar))
    yield GUEST, Store(step.gpa, step.value, scalar)
    return HANDLED


def port_io(protocol: Protocol, step: PioRead | PioWrite, cpl: int = 0) -> Program:
    """One exit for an access to an I/O port, and its handler."""
    _check_width(step, PIO_SIZES)
    if cpl:
        return FAULT
    reads = type(step) is PioRead
    said = (step.size,) if reads else (step.size, step.value)  # type: ignore[union-attr]
    cpu: Vcpu = yield GUEST, Exit("pio", step.port, said)
    device = claimed(protocol.ports, step.port, step.size)
    if device is not None and cpu.host.knows_protocol:
        return (yield from _device(protocol, cpu, step, device))
    yield KERNEL, ToUser("nobody's port")
    return (1 << 8 * step.size) - 1 if reads else HANDLED


def _device(protocol: Protocol, cpu: Vcpu, step: Any, device: IoRange) -> Program:
    """The handler of a device access, in the part of the host that serves the range; return the guest's answer."""
    side = KERNEL if device.served_by == "kernel" else USER
    if side is USER:
        yield KERNEL, ToUser("device")
    if isinstance(step, MmioRead | PioRead):
        name = "on_mmio_read" if isinstance(step, MmioRead) else "on_pio_read"
        return checked(protocol, name, (yield from host_side(getattr(protocol, name)(cpu, *step), side)))
    write = protocol.on_mmio_write if isinstance(step, MmioWrite) else protocol.on_pio_write
    yield from host_side(write(cpu, *step), side)
    return HANDLED


def claimed(ranges: tuple[IoRange, ...], at: int, size: int) -> IoRange | None:
    """Return the one of ``ranges`` that contains all of [at, at + size), or None."""
    return next((own for own in ranges if own.start <= at and at + size <= own.start + own.size), None)


def _check_number(step: Any, field: str, bits: int) -> None:
    """Raise WorkbenchError unless a field of a step is a number that a machine register of ``bits`` can hold."""
    number = getattr(step, field)
    if type(number) is int and 0 <= number < 1 << bits:
        return
    if not isinstance(number, int) or isinstance(number, bool):
        why = "write int(...)" if hasattr(number, "__index__") or isinstance(number, float) else "write a number"
        raise WorkbenchError(f"{type(step).__name__}: the {field} is {value_said(number)}, which is no int; {why}")
    if type(number) is int:  # not a number that stands for many vCPUs at once
        raise WorkbenchError(
            f"{type(step).__name__}: the {field} {number:#x} does not fit into {bits} bits; "
            f"write value & {(1 << bits) - 1:#x}"
        )


def _check_width(step: Any, sizes: tuple[int, ...]) -> None:
    """Raise WorkbenchError for an access that no instruction makes."""
    if step.size not in sizes:
        raise WorkbenchError(f"{step!r}: an access of {step.size!r} bytes; possible are {', '.join(map(str, sizes))}")
    if not isinstance(step, MmioRead | PioRead) and not 0 <= step.value < 1 << 8 * step.size:
        raise WorkbenchError(f"{step!r}: the value does not fit into {step.size} bytes")


#: The steps that leave the guest; any other step of a guest program is done where it is.
_SERVED: dict[type, Callable[[Protocol, Any, int], Program]] = {
    Wrmsr: _register,
    Rdmsr: _register,
    Hypercall: hypercall,
    MmioRead: mmio,
    MmioWrite: mmio,
    PioRead: port_io,
    PioWrite: port_io,
}
#: The kinds of these steps.
LEAVES_THE_GUEST = frozenset(_SERVED)


def host_side(handler: Program, side: Side = KERNEL) -> Program:
    """Drive a host handler, marking each step with its side; all steps after ToUser are marked USER."""
    answer: Any = None
    while True:
        try:
            step = handler.send(answer)
        except StopIteration as stop:
            return stop.value
        answer = yield side, step
        if type(step) is ToUser:
            side = USER


def host_write(protocol: Protocol, cpu: Vcpu, msr: int, value: int) -> Program:
    """KVM_SET_MSRS with one entry; return whether it was accepted. MSR filters do not apply to the host."""
    if not _kernel_knows(protocol, cpu, msr):
        return False
    outcome = yield from host_side(protocol.on_wrmsr(cpu, msr, value, host_initiated=True))
    return checked(protocol, "on_wrmsr", outcome) is HANDLED


def host_read(protocol: Protocol, cpu: Vcpu, msr: int) -> Program:
    """KVM_GET_MSRS with one entry; return its value, or None if the entry was not processed."""
    if not _kernel_knows(protocol, cpu, msr):
        return None
    value = checked(protocol, "on_rdmsr", (yield from host_side(protocol.on_rdmsr(cpu, msr, host_initiated=True))))
    return None if isinstance(value, Outcome) else value


def _kernel_knows(protocol: Protocol, cpu: Vcpu, msr: int) -> bool:
    return cpu.host.knows_protocol and msr in protocol.msrs and msr not in protocol.deflected
