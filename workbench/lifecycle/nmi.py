"""An NMI between two exits of a registration, whose handler makes the same call for another area of its CPU.

A call that takes one exit is atomic for its own CPU; one that takes more is not, and no lock can make it so. Linux
registers with interrupts disabled (kvm_cpu_online, arch/x86/kernel/kvm.c), which an NMI ignores, and a handler that
waited for a lock of the code that it interrupts would wait for ever. An index that such a handler changed has been put
back by Linux since 2.6 (reassert_nmi, arch/x86/include/asm/mach_traps.h: the CMOS index of port 0x70).

The handler registers again, and reads back, every area that this CPU has registered before; if there is none, the one
whose call it interrupts. No NMI comes between a descriptor in memory and the exit that passes it, because a handler
would build a descriptor of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from workbench.core.contracts import Feature
from workbench.core.driver import LEAVES_THE_GUEST
from workbench.core.event_steps import GuestCall, GuestProgram
from workbench.core.outcome import REFUSED
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.event import AtBoot
from workbench.lifecycle.linux import LinuxKernel


@dataclass(frozen=True)
class InterruptedKernel(LinuxKernel):
    """Linux whose registrations are each interrupted once, by an NMI between two exits."""

    def boot(self, cpu: Vcpu) -> Program:
        """Guest: register; an NMI comes after the first exit of each call. Then again, after the second, and so on.

        A kernel that cannot give its areas up, to register them again, is interrupted after the first exit only.
        """
        yield from self.come_up(cpu)
        yield from self.scenario.protocol.revoke_all(self.here(cpu))
        after, longest = 1, (yield from self._register_interrupted(cpu, 1))
        while after + 1 < longest and (yield from self._gives_up(cpu)):
            after += 1
            yield from self._register_interrupted(cpu, after)

    def _register_interrupted(self, cpu: Vcpu, after: int) -> Program:
        """Guest: register all areas of this CPU, with an NMI in each call; return the exits of the longest call."""
        wanted = tuple(self.at_boot(cpu))
        if self.scenario.protocol.batch != "none":
            handler = GuestCall(self.handle, (wanted[:1],))
            return (yield from interrupted(self._register(cpu, at_boot=True), after, handler, cpu))
        longest = 0
        for number, feature in enumerate(wanted):
            handler = GuestCall(self.handle, (wanted[:number] or (feature,),))
            call = self.scenario.enrol(self.here(cpu), feature, self.generation)
            longest = max(longest, (yield from interrupted(call, after, handler, cpu)))
        return longest

    def _gives_up(self, cpu: Vcpu) -> Program:
        """Guest: give all areas of this CPU up; return whether all were."""
        gone = True
        for feature in tuple(self.at_boot(cpu)):
            answer = yield from self.scenario.revoke(self.here(cpu), feature, self.generation)
            gone = gone and answer is not REFUSED
        return gone

    def handle(self, cpu: Vcpu, features: Sequence[Feature]) -> Program:
        """Guest: the handler of the NMI."""
        for feature in features:
            yield from self.scenario.enrol(self.here(cpu), feature, self.generation)
            yield from self.scenario.look_back(self.here(cpu), feature, self.generation)


def interrupted(program: Program, after: int, handler: GuestProgram, cpu: Vcpu) -> Program:
    """Guest: make a call, with ``handler`` before the exit that follows exit ``after``; return the call's exits."""
    answer, exits = None, 0
    while True:
        try:
            step = program.send(answer)
        except StopIteration:
            return exits
        answer = None
        if type(step) in LEAVES_THE_GUEST:
            if exits == after:
                yield from handler(cpu)
            exits += 1
        answer = yield step


class NmiBetweenExits(AtBoot):
    """Every vCPU boots, and an NMI comes between the exits of each registration that takes several."""

    name = "nmi-between-exits"
    title = "NMI between the exits of a call"
    group = "areas and memory change"

    def coming_up(self, scenario: Scenario, cpu: int) -> GuestProgram:
        """Return the boot of a kernel that is interrupted."""
        return InterruptedKernel(scenario).boot
