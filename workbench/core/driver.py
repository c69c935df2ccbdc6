"""Turns a guest program into one stream of (side, step), calling the handler of each register access.

The guest program of the vCPU waits while the host's handler runs; the handler's steps appear in the same
stream, marked KERNEL or USER, so that an engine can run anything between any two of them. The rules in this file
belong to the architecture and to KVM's dispatch, not to a protocol:

* WRMSR and RDMSR above CPL 0 take #GP without an exit to the host (Intel SDM, WRMSR).
* A hypercall above CPL 0 leaves the guest and is refused by KVM (-KVM_EPERM; kvm_emulate_hypercall).
* An access to a register that the protocol does not claim is UNKNOWN. The VMM serves it if it asked for such exits
  (KVM_CAP_X86_USER_SPACE_MSR), and keeps one value for the VM in a variable of its own; otherwise the access
  has no effect under kvm.ignore_msrs, or the guest takes #GP (Linux arch/x86/kvm/x86.c, kvm_msr_ignored_check).
"""

from typing import Any

from workbench.core.contracts import Protocol
from workbench.core.host_state import VM, register
from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Outcome
from workbench.core.steps import GUEST, KERNEL, USER, Exit, Get, Program, Rdmsr, Set, Share, Side, ToUser, Wrmsr
from workbench.core.vcpu import Vcpu


def guest_side(protocol: Protocol, program: Program, *, cpl: int = 0) -> Program:
    """Drive a guest program, serving its register accesses by ``protocol``; return what it returns."""
    answer: Any = None
    while True:
        try:
            step = program.send(answer)
        except StopIteration as stop:
            return stop.value
        kind = type(step)
        if kind is Wrmsr or kind is Rdmsr:
            answer = FAULT if cpl else (yield from register_access(protocol, step))
        elif kind is Share:
            # KVM_HC_MAP_GPA_RANGE: the hypercall goes to the VMM, which changes the page attributes.
            yield GUEST, Exit("hypercall", 12)
            if cpl:
                answer = FAULT
                continue
            yield KERNEL, ToUser("map_gpa_range")
            answer = yield USER, step
        else:
            answer = yield GUEST, step


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
        return cpu, (yield from host_side(protocol.on_wrmsr(cpu, step.msr, step.value)))
    return cpu, (yield from host_side(protocol.on_rdmsr(cpu, step.msr)))


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
    outcome: Outcome = yield from host_side(protocol.on_wrmsr(cpu, msr, value, host_initiated=True))
    return outcome is HANDLED


def host_read(protocol: Protocol, cpu: Vcpu, msr: int) -> Program:
    """KVM_GET_MSRS with one entry; return its value, or None if the entry was not processed."""
    if not _kernel_knows(protocol, cpu, msr):
        return None
    value = yield from host_side(protocol.on_rdmsr(cpu, msr, host_initiated=True))
    return None if isinstance(value, Outcome) else value


def _kernel_knows(protocol: Protocol, cpu: Vcpu, msr: int) -> bool:
    return cpu.host.knows_protocol and msr in protocol.msrs and msr not in protocol.deflected
