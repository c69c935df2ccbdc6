"""A real machine under one scenario: a guest on this host's KVM, carrying out the steps of lifecycle events.

The rules kept here:

* KVM's own code is the host for the registers that the protocol calls native; all others are deflected, and
  the protocol's handlers answer them in the MSR exit, one exit at a time, as under QEMU's big lock.
* Programs started by consecutive Start steps run concurrently, each in its vCPU's thread, until another step comes.
* A host that does not know the protocol is this KVM with every paravirtual feature refused
  (KVM_CAP_ENFORCE_PV_FEATURE_CPUID, no feature offered) and nothing deflected.
"""

from collections import Counter
from collections.abc import Hashable, Iterable
from dataclasses import replace
from functools import partial
from typing import Any, cast

from workbench.core.address_cache import memslots_changed
from workbench.core.address_map import Region, Unit
from workbench.core.contracts import Protocol
from workbench.core.driver import host_side
from workbench.core.event_steps import OnHost, Start, in_order
from workbench.core.host_state import Key
from workbench.core.kvm_registers import PV_EOI_EN
from workbench.core.machine_transition import perform_on_machine
from workbench.core.memory import GuestMemory as Shadow
from workbench.core.relay import driven, relayed
from workbench.core.rules.place import by_author
from workbench.core.scenario import Scenario, believes
from workbench.core.sent_memory import Sending
from workbench.core.steps import USER, Program, Side
from workbench.core.vcpu import Vcpu
from workbench.engines.kvm import state
from workbench.engines.kvm.api.cpuid import pv_features
from workbench.engines.kvm.guest.guest import Guest
from workbench.engines.kvm.guest.threads import Pending
from workbench.engines.kvm.handlers import Handlers
from workbench.engines.kvm.migration import LoadState, OnKvm, SaveState, Stream, TellStopped, memslots_of
from workbench.engines.kvm.moves import Moves
from workbench.engines.kvm.observe import Watch
from workbench.engines.kvm.programs import Done, GuestCode
from workbench.engines.kvm.registers import held_by_kvm, native_features
from workbench.engines.kvm.world import KvmWorld
from workbench.errors import EngineError, WorkbenchError


class NotRunError(EngineError):
    """An event cannot take place on this host's KVM; the message is the reason alone."""


class KvmMachine(Moves):
    """A context manager: leaving it closes the VM and its threads."""

    def __init__(self, scenario: Scenario) -> None:
        self.protocol = scenario.protocol
        #: The scenario given to events, with a protocol whose save and restore include the VM's state.
        self.scenario = replace(scenario, protocol=cast(Protocol, OnKvm(scenario.protocol)))
        self.native = native_features(scenario.protocol, scenario.features)
        self.records = {cpu.index: cpu for cpu in scenario.cpus}
        self.entries: dict[Hashable, Any] = {}
        self.ever: dict[Hashable, Any] = {}
        self.notes: dict[Hashable, Any] = {}
        self.under: dict[int, bytes] = {}
        self.counts: Counter[str] = Counter()
        self.rounds: tuple[int, ...] = ()
        self.lost_bytes, self.lost_pages, self.lost_in = 0, 0, ()
        self.loaded: tuple[state.Loaded, ...] = ()
        #: The contents that guest memory would have if only the guest had written.
        self.shadow = Shadow()
        self._kvms: dict[Hashable, Any] = {}  # KVM's own entries, as last read
        self._refused: dict[tuple[int, int], int | None] = {}  # by vCPU and register: see ``held_by_kvm``
        self._running: dict[int, Pending[Done]] = {}
        self._stream: Stream | None = None
        self._has_ended = False
        self._sending: Sending | None = None
        self._worlds = {cpu: KvmWorld(self, cpu) for cpu in self.records}
        self._handlers = Handlers(scenario.protocol, self._worlds)
        for region in scenario.memslots():
            self.shadow.add(region.gpa, region.size)
        self.shadow.on_change = self._memslots_changed
        self.guest = self._open(scenario.cpu(0), scenario.memslots(), scenario.cpuid)
        if scenario.cpuid is None:
            self._offer_what_kvm_offers()
        self.watch = Watch(self)

    def __enter__(self) -> "KvmMachine":
        return self

    def __exit__(self, *error: object) -> None:
        self.guest.close()

    # -- the host --------------------------------------------------------------------------------------

    def _open(self, record: Vcpu, slots: tuple[Region, ...], cpuid: frozenset[int] | None) -> Guest:
        """Open a VM on the host of ``record``, with these memslots; ``cpuid``: None offers what KVM supports."""
        host = record.host
        known = host.knows_protocol
        offered = cpuid if known else frozenset()
        guest = Guest(
            self.scenario.vcpus,
            ram=[(slot.gpa, slot.size) for slot in slots],
            deflect=(self.protocol.deflected if known else frozenset()) | host.user_msrs,
            on_msr_exit=self._handlers.msr,
            features=None if offered is None else sum(1 << bit for bit in offered),
            enforce_cpuid=not known or record.enforce_cpuid,
            lapic=host.irqchip,
        )
        guest.serve(self._handlers.device, self._handlers.call)
        for slot in slots:
            if slot.readonly:
                guest.memory.set_readonly(slot_at(guest, slot.gpa), True)
        return guest

    def _offer_what_kvm_offers(self) -> None:
        """Show the guest's programs the CPUID bits that this KVM supports, not those of the model."""
        bits = pv_features(self.guest.vm.supported_cpuid())
        offered = frozenset(bit for bit in range(32) if bits >> bit & 1)
        self.records = {index: record.but(cpuid=offered) for index, record in self.records.items()}

    def held(self) -> dict[Hashable, Any]:
        """Return the host's present entries: our own, and the addresses in KVM's registers."""
        if self._has_ended:
            return {}
        self._kvms = held_by_kvm(self.guest, self.native, self.records, self._refused, self._kvms)
        self.ever.update(self._kvms)
        return {**self.entries, **self._kvms}

    # -- steps of events -------------------------------------------------------------------------------

    def play(self, event_program: Program) -> None:
        """Carry out the steps of a lifecycle event, and wait for all programs that it started."""
        driven(in_order(event_program), self.take)
        self._join()

    def take(self, step: Any) -> Any:
        """Carry out one step of an event and return its answer."""
        if type(step) is not Start or step.cpu in self._running:
            self._join()
        return perform_on_machine(self, step)

    def _join(self) -> None:
        """Wait for all running programs; raise what one of them raised."""
        failure: BaseException | None = None
        running, self._running = self._running, {}
        for cpu, pending in running.items():
            try:
                done = pending.result()
            except BaseException as error:
                if not by_author(error):
                    raise
                failure = failure or error  # raised after all others have ended
                continue
            self.counts.update(done.counts)
            self._refused |= {(cpu, msr): value for msr, value in done.refused.items()}
            for gpa, data in done.stores:
                self.shadow.poke(gpa, data)
        if failure is not None:
            raise failure
        if running:
            self.held()  # records the areas served now, for later questions about the past

    # -- steps of events: all programs have ended before any step but Start is taken ----------------------

    def cpus(self) -> Iterable[int]:
        return tuple(self.records)

    def at_boundary(self, cpu: int) -> bool:
        return True

    def has_finished(self, cpu: int) -> bool:
        return True

    def begin(self, step: Start) -> None:
        code = GuestCode(self.guest.executor(step.cpu), self._worlds[step.cpu], step.cpl)
        program = step.program(self.records[step.cpu])
        self._running[step.cpu] = self.guest.submit(step.cpu, partial(code.run, program))

    def halt(self, cpu: int, *, for_good: bool) -> None:
        """Do nothing: a halted vCPU is not run again."""

    def enter(self, cpu: int) -> None:
        with self.watch.for_strays(cpu):
            self.enter_once(cpu)

    def enter_once(self, cpu: int) -> None:
        """Let the vCPU enter the guest; KVM and the VMM make the pending deliveries."""
        record = self.records[cpu]
        serve = self.protocol.answers_itself and record.host.knows_protocol

        def job() -> None:
            if serve:
                self._handlers.carry_out(cpu, host_side(self.protocol.on_entry(record)))
            self.guest.executor(cpu).nop()

        self.guest.call(cpu, job)

    def reset(self, cpu: int) -> None:
        record = self.records[cpu]
        if not record.host.irqchip:
            raise NotRunError("INIT comes through the LAPIC, and this machine has none in the kernel")
        self.guest.init(cpu)
        if self.protocol.answers_itself and record.host.knows_protocol:
            self._worlds[cpu].carry_out(host_side(self.protocol.on_init(record), USER))

    def on_host(self, step: OnHost) -> Any:
        return self._worlds[step.cpu].carry_out(relayed(step.program(), self._with_state))

    def _with_state(self, own: tuple[Side, Any]) -> Program:
        """Pass on a host program's step, unless it concerns the VM as a whole."""
        _, step = own
        if type(step) is SaveState:
            return state.save(self.guest, [record.carried() for record in self.records.values()])
        if type(step) is LoadState:
            return self._load(step)
        if type(step) is TellStopped:
            return self.guest.call(step.cpu, self.guest.vcpu(step.cpu).kvmclock_ctrl)
        return (yield own)

    def _load(self, step: LoadState) -> int:
        """Write the state into the VM; return how many of the protocol's own registers KVM refused.

        What KVM refuses of registers that the protocol does not use is not counted: its VM does not offer them.
        """
        hides = self.records[0].enforce_cpuid
        own = {register.msr for feature in self.native for register in feature.registers}
        saved = state.carried(step.state, self.records.values())
        self.loaded = state.load(
            self.guest, saved, order=step.order, own_cpuid=hides, tell_stopped=False, vmm=step.vmm, among=own
        )
        for cpu, (vcpu, loaded) in enumerate(zip(saved.vcpus, self.loaded, strict=False)):
            self._refused |= {(cpu, msr): value for msr, value in vcpu.pv_msrs if msr in loaded.refused}
        return sum(state.refused_of(*one, own) for one in zip(saved.vcpus, self.loaded, strict=False))

    def end(self) -> None:
        """Drop what our own handlers and KVM's registers hold: the VM is not run again."""
        self.entries.clear()
        self._has_ended = True

    def record(self, cpu: int) -> Vcpu:
        return self.records[cpu]

    def set_record(self, cpu: int, record: Vcpu) -> None:
        self.records[cpu] = record

    def add_memslot(self, gpa: int, size: int, readonly: bool) -> None:
        self.shadow.add(gpa, size)
        self.guest.memory.add(gpa, size, readonly=readonly)

    def delete_memslot(self, gpa: int) -> None:
        self._take_off(gpa)
        self.guest.memory.delete(slot_at(self.guest, gpa))
        self.shadow.delete(gpa)

    def move_memslot(self, gpa: int, to: int) -> None:
        self._take_off(gpa)
        self.guest.memory.move(slot_at(self.guest, gpa), to)
        self.shadow.move(gpa, to)

    def _memslots_changed(self) -> None:
        memslots_changed(self.entries, self.entries.get, self._worlds[0].set)
        for cpu, msr in [own for own in self._refused if own[1] == PV_EOI_EN.msr]:
            del self._refused[cpu, msr]  # KVM looks its old address up again

    def _take_off(self, gpa: int) -> None:
        """Take away the pages of the host over the memslot that begins at ``gpa``."""
        slot = next((slot for slot in memslots_of(self.guest) if slot.gpa == gpa), None)
        for covered in [page for page in self.under if slot and gpa <= page < gpa + slot.size]:
            self._worlds[0].uncover(covered)

    def reassign(self, unit: Unit) -> None:
        self.watch.reassigned.add(unit)
        if self.scenario.addresses.is_under(unit, self.under):
            self.watch.strayed.add((unit.cpu, unit.what))

    def believes_registered(self, unit: Unit) -> bool:
        return self.notes.get(believes(unit.cpu, unit.what)) == self.scenario.addresses.gpa(unit)

    def guest_notes(self) -> Iterable[Key]:
        return (key for key in self.notes if isinstance(key, Key))

    def note(self, key: Key, value: Any) -> None:
        self._worlds[0].note(key, value)


def slot_at(guest: Guest, gpa: int) -> int:
    """Return the number of the memslot that begins at ``gpa``; raise WorkbenchError if there is none."""
    for slot in guest.memory.slots:
        if slot.gpa == gpa:
            return slot.slot
    raise WorkbenchError(f"no memslot begins at gpa {gpa:#x}")
