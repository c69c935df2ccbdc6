"""Follows the areas of one fuzzed sequence: what two hosts must have written, and where they may differ, and why.

Two hosts write the same areas on the same occasions, but not the same numbers; ``judging`` says what is compared. What
is left out is an entry of the list of exclusions each (``exclusions``), which is asked for by its name.
"""

from collections import Counter
from collections.abc import Collection

from workbench.core.kvm_registers import ASYNC_PF_EN
from workbench.fuzz.areas import FORMS, Area, Form, Kept
from workbench.fuzz.clock import SetClock
from workbench.fuzz.exclusions import LeftOut, everything
from workbench.fuzz.palette import RAM_END
from workbench.fuzz.tokens import Tokens

#: An area that a host serves: (feature, gpa).
Served = frozenset[tuple[str, int]]

#: A known divergence (``known``): a VMM's write of SYSTEM_TIME alone makes the version move.
EARLY_VERSION = "clock-loses-stable-bit-at-host-write"


class Payloads:
    """Follows one sequence.

    ``allowed``: known divergences that concern payloads; ``left_out``: what is not compared, None: all that is listed.
    """

    def __init__(self, allowed: Collection[str] = (), left_out: LeftOut | None = None) -> None:
        self.allowed = frozenset(allowed)
        self.left_out = everything() if left_out is None else left_out
        self.explained: Counter[str] = Counter()  #: differences, by the known divergence or exclusion that covers them
        self.areas: dict[tuple[str, int], Area] = {}
        self.tokens = Tokens(self.left_out)
        self.clock = SetClock()
        self.turn = 0  #: counts the operations that are no looks
        self._memory: dict[int, int] = {}  #: ends of memslots by their first gpa
        self._readonly: set[int] = set()  #: memslots, by their first gpa
        self._kept = bytes(RAM_END + 0x2000)  #: the shadow of the last snapshot
        self._shadow = bytearray(RAM_END + 0x2000)  #: the contents written by the guest's own stores
        self._waiting: dict[int, list[Area]] = {}
        self._restored: list[Area] = []  #: clocks that the VMM has put there at some time
        self._early: frozenset[int] = frozenset()  # page frames whose token KVM may have written before the last round

    # -- vCPUs and registers -----------------------------------------------------------------------------

    def entered(self, cpu: int) -> None:
        """A vCPU enters the guest: deliveries requested by it or for it have arrived now."""
        self.clock.is_running = True
        for area in self._waiting.pop(cpu, ()):
            area.waiting.discard(cpu)
            area.asked.discard(cpu)
            area.missed |= self._is_away(area)
            area.delivered = area.registered and not area.waiting and not area.missed
        for area in self._restored:
            area.early.discard(cpu)

    def not_told(self, cpu: int) -> None:
        """KVM has refused by itself what the simulator leaves to the VMM, so a vCPU has entered once less there."""
        for area in self.areas.values():
            area.spare += area.form.update_when == "entry" and cpu in area.cpus

    def registered(self, cpu: int, msr: int, value: int, *, by_host: bool) -> None:
        """A register of ``cpu`` took ``value``."""
        form = FORMS.get(msr)
        if form is None:
            return
        gpa = form.register.address_in(value)
        if gpa is None and form.mailbox:
            self.tokens.disabled(cpu)
        if gpa is None or gpa >= RAM_END or not form.is_mapped(gpa):
            return
        area = self.areas.get((form.feature, gpa))
        if area is None:
            area = self._new(form, gpa)
        area.cpus.add(cpu)
        self._due(cpu, area)
        area.by_host |= by_host
        area.by_guest |= not by_host
        if by_host:
            self._put_by_vmm(area, {cpu})
        if form.mailbox:
            self.tokens.registered(cpu, area, by_host=by_host)

    def cpuid(self, cpu: int, features: Collection[int], enforce: bool) -> None:
        """The CPUID bits of a vCPU changed, or whether they are enforced."""
        self.tokens.hidden(cpu, is_hidden=enforce and ASYNC_PF_EN.cpuid_bit not in features)

    def reset(self) -> None:
        """The VMM wrote the first value of every register."""
        for cpu in {cpu for area in self.areas.values() for cpu in area.cpus}:
            self.tokens.disabled(cpu)

    def clocks_restored(self) -> None:
        """The VMM wrote the registers of all vCPUs again, their clocks' among them."""
        for area in self.areas.values():
            self._put_by_vmm(area, area.cpus)

    def _put_by_vmm(self, area: Area, cpus: Collection[int]) -> None:
        if EARLY_VERSION in self.allowed and area.form.update_when == "request":
            area.by_host = True
            area.early.update(cpus)
            area.unsure = 2
            if not any(area is one for one in self._restored):
                self._restored.append(area)

    def _due(self, cpu: int, area: Area) -> None:
        """The host has to write ``area`` by the next entry of a vCPU."""
        area.registered = True
        area.waiting.add(cpu)
        area.delivered = False
        area.missed = self._is_away(area)
        self._waiting.setdefault(cpu, []).append(area)

    def _is_away(self, area: Area) -> bool:
        """Tell whether a requested update finds no memory, and is spent.

        Each write of SYSTEM_TIME has KVM update all clocks 100 ms later (kvm_gen_kvmclock_update), which may find it.
        """
        slots = self._memory.items()
        there = any(low <= area.gpa and area.end <= high and low not in self._readonly for low, high in slots)
        return area.form.update_when == "request" and not there

    def clock_due(self, served: Served, cpu: int | None = None) -> None:
        """The VMM has requested an update of a vCPU's clock (None: of all)."""
        for area in self.areas.values():
            is_served = area.form.update_when == "request" and (area.form.feature, area.gpa) in served
            if is_served and (cpu is None or area.cpus == {cpu}):
                for owner in area.cpus:
                    self._due(owner, area)

    def disturbed(self, cpu: int | None = None) -> None:
        """The VMM acts on a vCPU (None: on all); if it has requested a token and not entered since, it is uncertain."""
        self.tokens.disturbed(cpu)

    def _new(self, form: Form, gpa: int) -> Area:
        area = Area(form, gpa)
        for other in self.areas.values():
            if other.gpa < area.end and gpa < other.end:
                area.meet(other)
                other.meet(area)
                self.tokens.met(other)
        area.seen = self._version_in(self._shadow, area)
        self.areas[form.feature, gpa] = area
        return area

    def _version_in(self, content: bytes | bytearray, area: Area) -> tuple[int, int] | None:
        if area.form.version is None:
            return None
        at = area.gpa + area.form.version
        version = int.from_bytes(content[at : at + 4], "little")
        return version, version

    # -- memory ------------------------------------------------------------------------------------------

    def stored(self, gpa: int, data: bytes, served: Served = frozenset()) -> None:
        """The guest wrote memory that a memslot backs."""
        end = gpa + len(data)
        self._shadow[gpa:end] = data
        self.tokens.stored(gpa, end)
        for area in self.areas.values():
            if area.form.version is None:
                continue
            at = area.gpa + area.form.version
            if gpa < at + 4 and at < end:
                area.seen = self._overwritten(area, at, gpa, data)
                area.served |= (area.form.feature, area.gpa) in served
                area.delivered = area.by_host = area.by_guest = False

    def _overwritten(self, area: Area, at: int, gpa: int, data: bytes) -> tuple[int, int] | None:
        """Return the versions at ``at`` after a store at ``gpa``; None if they are not known."""
        if not (gpa <= at and at + 4 <= gpa + len(data)) and (area.seen is None or area.looked != self.turn):
            return None
        new = []
        for before in area.seen or (0, 0):
            held = bytearray(before.to_bytes(4, "little"))
            for offset in range(4):
                if 0 <= at + offset - gpa < len(data):
                    held[offset] = data[at + offset - gpa]
            new.append(int.from_bytes(held, "little"))
        return new[0], new[1]

    def appeared(self, gpa: int, size: int, served: Served) -> None:
        """A zeroed memslot was added."""
        self._memory[gpa] = gpa + size
        self.stored(gpa, bytes(size), served)

    def disappeared(self, gpa: int) -> None:
        """A memslot was deleted."""
        del self._memory[gpa]
        self._readonly.discard(gpa)

    def protected(self, gpa: int, readonly: bool) -> None:
        """A memslot became read-only, or writable again."""
        (self._readonly.add if readonly else self._readonly.discard)(gpa)

    def snapshot(self) -> None:
        """The VMM keeps memory."""
        kept = bytearray(len(self._shadow))
        for low, high in self._memory.items():
            kept[low:high] = self._shadow[low:high]
        self._kept = bytes(kept)
        for area in self.areas.values():
            seen = area.seen if area.looked == self.turn else None
            area.kept = Kept(seen, area.loose, self.tokens.why(area) if area.form.mailbox else "")

    def restored(self) -> None:
        """The VMM wrote the kept memory back: areas hold what they held then, which two hosts need not share."""
        self._shadow[:] = self._kept
        for area in self.areas.values():
            kept = area.kept or Kept(self._version_in(self._kept, area), False, "")
            area.seen, area.delivered, area.loose = kept.seen, False, kept.loose
            area.stale_token = kept.stale_token
        self.clocks_restored()

    # -- dirty logs --------------------------------------------------------------------------------------

    def unpromised_pages(self) -> frozenset[int]:
        """Return the page frames of tokens that the simulator's host may write before, or without, KVM."""
        loose = (area for area in self.areas.values() if area.form.mailbox and self.tokens.why(area))
        return self._early.union(page for area in loose for page in area.pages)

    def log_taken(self) -> None:
        """A dirty log was read: a token that a guest has requested may be in it, or in the next one."""
        self._early = frozenset(page for area in self.areas.values() if area.asked for page in area.pages)
