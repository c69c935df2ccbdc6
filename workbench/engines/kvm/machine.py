"""A real machine under one scenario: a guest on this host's KVM, carrying out the steps of lifecycle events.

The rules kept here:

* KVM's own code is the host for the registers that the protocol calls native; all others are deflected, and
  the protocol's handlers answer them in the MSR exit, one exit at a time, as under QEMU's big lock.
* Programs started one after the other run at the same time, each vCPU in its thread, until the next other step.
* A host that does not know the protocol is this KVM with every paravirtual feature refused
  (KVM_CAP_ENFORCE_PV_FEATURE_CPUID, no feature offered) and nothing deflected.
"""

import threading
from collections import Counter
from collections.abc import Callable, Hashable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from workbench.core.address_map import KERNEL_BASE, Unit
from workbench.core.contracts import Protocol
from workbench.core.driver import host_side, register_access
from workbench.core.event_steps import (
    AddMemslot,
    DeleteMemslot,
    Enter,
    Init,
    KernelGone,
    MoveMemslot,
    NewHost,
    OnHost,
    Pause,
    Reassign,
    Resume,
    Start,
    Stop,
    Wait,
    in_order,
)
from workbench.core.host_state import VM, Key
from workbench.core.memory import GuestMemory as Shadow
from workbench.core.outcome import FAULT
from workbench.core.scenario import Scenario
from workbench.core.steps import USER, Program, Rdmsr, Wrmsr
from workbench.core.vcpu import Host
from workbench.engines.kvm import state
from workbench.engines.kvm.api.cpuid import pv_features
from workbench.engines.kvm.api.exits import MsrExit
from workbench.engines.kvm.guest.executor import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.guest.threads import Pending
from workbench.engines.kvm.migration import LoadState, OnKvm, SaveState, Slot, Stream, slots_of
from workbench.engines.kvm.observe import Watch
from workbench.engines.kvm.programs import Done, GuestCode
from workbench.engines.kvm.registers import held_by_kvm, native_features
from workbench.engines.kvm.world import KvmWorld
from workbench.errors import WorkbenchError


class KvmMachine:
    """A context manager: leaving it closes the VM and its threads."""

    def __init__(self, scenario: Scenario) -> None:
        self.protocol = scenario.protocol
        #: The scenario as events get it: a migration of theirs is one of the VM.
        self.scenario = replace(scenario, protocol=cast(Protocol, OnKvm(scenario.protocol)))
        self.native = native_features(scenario.protocol, scenario.features)
        self.records = {cpu.index: cpu for cpu in scenario.cpus}
        self.entries: dict[Hashable, Any] = {}
        self.ever: dict[Hashable, Any] = {}
        self.notes: dict[Hashable, Any] = {}
        self.counts: Counter[str] = Counter()
        self.rounds: tuple[int, ...] = ()
        self.loaded: tuple[state.Loaded, ...] = ()
        #: What guest memory would hold if only the guest had written.
        self.shadow = Shadow()
        self._lock = threading.Lock()
        self._running: dict[int, Pending[Done]] = {}
        self._stream: Stream | None = None
        self._worlds = {cpu: KvmWorld(self, cpu) for cpu in self.records}
        addresses = scenario.addresses
        kernels = (Slot(addresses.slot(number), addresses.slot_size, False) for number in (0, 1))
        slots = (Slot(0, KERNEL_BASE, False), *kernels)
        for slot in slots:
            self.shadow.add(slot.gpa, slot.size)
        self.guest = self._open(scenario.host, slots)
        if scenario.cpuid is None:
            self._offer_what_kvm_offers()
        self.watch = Watch(self)

    def __enter__(self) -> "KvmMachine":
        return self

    def __exit__(self, *error: object) -> None:
        self.guest.close()

    # -- the host --------------------------------------------------------------------------------------

    def _open(self, host: Host, slots: tuple[Slot, ...]) -> Guest:
        """Open a VM on a host like ``host``, with these memslots."""
        known = host.knows_protocol
        offered = self.scenario.cpuid if known else frozenset()
        guest = Guest(
            self.scenario.vcpus,
            ram=[(slot.gpa, slot.size) for slot in slots],
            deflect=(self.protocol.deflected if known else frozenset()) | host.user_msrs,
            on_msr_exit=self._answer,
            features=None if offered is None else sum(1 << bit for bit in offered),
            enforce_cpuid=not known,
            lapic=host.irqchip,
        )
        for slot in slots:
            if slot.readonly:
                guest.memory.set_readonly(slot_at(guest, slot.gpa), True)
        return guest

    def _offer_what_kvm_offers(self) -> None:
        """Let the guest's programs see the CPUID bits that this KVM supports, not those of the model's."""
        bits = pv_features(self.guest.vm.supported_cpuid())
        offered = frozenset(bit for bit in range(32) if bits >> bit & 1)
        self.records = {index: record.but(cpuid=offered) for index, record in self.records.items()}

    def _answer(self, cpu: int, access: MsrExit) -> MsrAnswer:
        """Serve a deflected access by the protocol's own handler, while the vCPU stands in its exit."""
        step = Wrmsr(access.index, access.data) if access.write else Rdmsr(access.index)
        with self._lock:
            result = self._worlds[cpu].carry_out(register_access(self.protocol, step))
        if result is FAULT:
            return MsrAnswer(error=True)
        return MsrAnswer() if access.write else MsrAnswer(data=result)

    def held(self) -> dict[Hashable, Any]:
        """Return what the host remembers now: our own entries, and what KVM's registers hold."""
        kvms = held_by_kvm(self.guest, self.native)
        self.ever.update(kvms)
        return {**self.entries, **kvms}

    # -- steps of events -------------------------------------------------------------------------------

    def play(self, event_program: Program) -> None:
        """Carry out the steps of a lifecycle event; what it started has ended when this returns."""
        event_program = in_order(event_program)
        answer: Any = None
        while True:
            try:
                step = event_program.send(answer)
            except StopIteration:
                self._join()
                return
            answer = self.take(step)

    def take(self, step: Any) -> Any:
        """Carry out one step of an event and return its answer."""
        action = _VM_STEPS.get(type(step))
        if action is None:
            known = ", ".join(kind.__name__ for kind in _VM_STEPS)
            raise WorkbenchError(f"a lifecycle event yielded {step!r}, which is not one of its steps: {known}")
        if type(step) is not Start or step.cpu in self._running:
            self._join()
        return action(self, step)

    def _start(self, step: Start) -> None:
        code = GuestCode(self.guest.executor(step.cpu), self._worlds[step.cpu], step.cpl)
        program = step.program(self.records[step.cpu])
        self._running[step.cpu] = self.guest.submit(step.cpu, partial(code.run, program))

    def _join(self) -> None:
        """Wait for all running programs; raise what one of them raised."""
        failure: Exception | None = None
        running, self._running = self._running, {}
        for pending in running.values():
            try:
                done = pending.result()
            except Exception as error:  # noqa: BLE001 - the others are waited for first
                failure = failure or error
                continue
            self.counts.update(done.counts)
            for gpa, data in done.stores:
                self.shadow.poke(gpa, data)
        if failure is not None:
            raise failure
        if running:
            self.held()  # so that "it was served at some time" is known later

    def enter(self, cpu: int) -> None:
        """Let the vCPU enter the guest once; what is due is delivered, by KVM and by the VMM."""
        record = self.records[cpu]
        serve = bool(self.protocol.deflected) and record.host.knows_protocol

        def job() -> None:
            if serve:
                with self._lock:
                    self._worlds[cpu].carry_out(host_side(self.protocol.on_entry(record), USER))
            self.guest.executor(cpu).nop()

        self.guest.call(cpu, job)

    def _enter(self, step: Enter) -> None:
        with self.watch.for_strays(step.cpu):
            self.enter(step.cpu)

    def _init(self, step: Init) -> None:
        record = self.records[step.cpu]
        self.guest.init(step.cpu)
        if self.protocol.deflected and record.host.knows_protocol:
            self._worlds[step.cpu].carry_out(host_side(self.protocol.on_init(record), USER))

    def _pause(self, step: Pause) -> None:
        """Copy all memory, let every vCPU run on, copy what became dirty; then they stop."""
        self._stream = Stream(self.guest)
        self._stream.send_everything()
        for cpu in self.records:
            self.enter(cpu)
        self._stream.send_dirty()

    def _new_host(self, step: NewHost) -> None:
        if self._stream is None:
            self._pause(Pause())
        stream, self._stream = self._stream, None
        assert stream is not None
        stream.send_dirty()
        for index, record in self.records.items():
            self.records[index] = record.but(host=replace(record.host, **dict(step.changes)))
        old, self.guest = self.guest, self._open(self.records[0].host, slots_of(self.guest))
        try:
            stream.arrive(self.guest)
        finally:
            old.close()
        self.rounds = tuple(stream.rounds)
        self.entries.clear()

    def _on_host(self, step: OnHost) -> Any:
        return self._worlds[step.cpu].carry_out(self._with_state(step.program()))

    def _with_state(self, program: Program) -> Program:
        """Pass on a host program's steps, except those that concern the VM as a whole."""
        answer: Any = None
        while True:
            try:
                side, step = program.send(answer)
            except StopIteration as stop:
                return stop.value
            if type(step) is SaveState:
                answer = state.save(self.guest)
            elif type(step) is LoadState:
                self.loaded = state.load(self.guest, step.state, order=step.order)
                answer = None
            else:
                answer = yield side, step

    def _add_slot(self, step: AddMemslot) -> None:
        self.shadow.add(step.gpa, step.size)
        self.guest.memory.add(step.gpa, step.size, readonly=step.readonly)

    def _delete_slot(self, step: DeleteMemslot) -> None:
        self.guest.memory.delete(slot_at(self.guest, step.gpa))
        self.shadow.delete(step.gpa)

    def _move_slot(self, step: MoveMemslot) -> None:
        self.guest.memory.move(slot_at(self.guest, step.gpa), step.to)
        self.shadow.move(step.gpa, step.to)

    def _disown(self, step: Reassign) -> None:
        units: tuple[Unit, ...] = step.units
        self.watch.disowned.update(units)

    def _forget(self, step: KernelGone) -> None:
        gone = {*step.cpus, VM} if 0 in step.cpus else set(step.cpus)
        for key in [key for key in self.notes if isinstance(key, Key) and key.cpu in gone]:
            del self.notes[key]

    def _nothing(self, step: Wait | Stop | Resume) -> None:
        """A program has ended by the time another step than Start is taken; a stopped vCPU is not run."""


def slot_at(guest: Guest, gpa: int) -> int:
    """Return the number of the memslot that begins at ``gpa``; raise WorkbenchError if there is none."""
    for slot in guest.memory.slots:
        if slot.gpa == gpa:
            return slot.slot
    raise WorkbenchError(f"no memslot begins at gpa {gpa:#x}")


_VM_STEPS: dict[type, Callable[[KvmMachine, Any], Any]] = {
    Start: KvmMachine._start,
    Enter: KvmMachine._enter,
    Init: KvmMachine._init,
    Pause: KvmMachine._pause,
    NewHost: KvmMachine._new_host,
    OnHost: KvmMachine._on_host,
    AddMemslot: KvmMachine._add_slot,
    DeleteMemslot: KvmMachine._delete_slot,
    MoveMemslot: KvmMachine._move_slot,
    Reassign: KvmMachine._disown,
    KernelGone: KvmMachine._forget,
    Wait: KvmMachine._nothing,
    Stop: KvmMachine._nothing,
    Resume: KvmMachine._nothing,
}
