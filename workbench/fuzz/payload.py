"""Compares guest memory on two hosts: says which bytes and which counters must agree.

Two hosts write the same areas on the same occasions, but not the same numbers: clocks run, and a host may update a
payload more often than the model does (a vCPU that moves to another CPU, a change of the master clock). So:

* Bytes outside all areas that were ever registered are equal; so are padding and flags inside of them.
* A version's lowest bit is equal from when both hosts have written until only one of them writes.
* Where the simulator's host has written, KVM has also written ("promised"); and where KVM has written, the
  simulator's host serves that area now, or did at the last comparison. (Steal time requested by a guest's write
  arrives before the guest's next instruction or at the next entry, depending on the vendor's code.)
* A clock is not written before its vCPU has entered, unless this kernel is known to (EARLY_VERSION).
* An area that was registered, and whose vCPU has entered since, is written by both or by none.
* The wall clock's version counts registrations: equal. The token of an asynchronous page fault: equal, once the
  vCPU has entered (a token requested by a WRMSR arrives before the guest's next instruction or at its next entry,
  depending on the vendor's code).
* A clock whose memory was missing at the registration: KVM may write with an update of its own; "promised" does not
  hold until it is registered again. If memory was deleted and added again it holds: both write with the next update.
* Where areas overlap, their bytes are not compared; only the bytes around them are.
"""

from collections import Counter
from collections.abc import Collection, Iterator
from typing import NamedTuple

from workbench.fuzz.areas import FORMS, Area, Form
from workbench.fuzz.exclusions import everything
from workbench.fuzz.palette import RAM_END

#: An area that a host serves: (feature, gpa).
Served = frozenset[tuple[str, int]]


class Difference(NamedTuple):
    """Bytes [offset, offset + size) of a load on which the hosts disagree, and the rule that this breaks."""

    offset: int
    size: int
    rule: str
    gpa: int  #: of the area, or of the byte
    expect: tuple[str, tuple[str, ...]]  #: ``hex`` or ``not_hex``, and hex digits from ``offset`` on: KVM's side


#: A known divergence (``known``): a VMM's write of SYSTEM_TIME alone makes the version move.
EARLY_VERSION = "clock-loses-stable-bit-at-host-write"


class Payloads:
    """Follows one sequence and judges its loads.

    ``allowed``: known divergences that concern payloads; ``left_out``: (feature, field) that are not compared, None:
    all that are listed (``exclusions``).
    """

    def __init__(
        self, allowed: Collection[str] = (), left_out: Collection[tuple[str, str]] | None = None
    ) -> None:
        self._allowed = frozenset(allowed)
        self._left_out = everything() if left_out is None else frozenset(left_out)
        self.explained: Counter[str] = Counter()
        self.areas: dict[tuple[str, int], Area] = {}
        self._memory: dict[int, int] = {}  #: ends of memslots by their first gpa
        self._readonly: set[int] = set()  #: memslots, by their first gpa
        self._kept = bytes(RAM_END + 0x2000)  #: the shadow of the last snapshot
        self._shadow = bytearray(RAM_END + 0x2000)  #: the contents written by the guest's own stores
        self._tokens_differ = False
        self._waiting: dict[int, list[Area]] = {}
        self._restored: list[Area] = []  #: clocks that the VMM has put there at some time
        self._early: frozenset[int] = frozenset()  # page frames whose token KVM may have written before the last round

    # -- following ---------------------------------------------------------------------------------------

    def entered(self, cpu: int) -> None:
        """A vCPU enters the guest: deliveries requested by it or for it have arrived now."""
        for area in self._waiting.pop(cpu, ()):
            area.waiting = area.asked = False
            area.delivered = area.registered
        for area in self._restored:
            area.early.discard(cpu)

    def registered(self, cpu: int, msr: int, value: int, *, by_host: bool) -> None:
        """A register of ``cpu`` took ``value``."""
        form = FORMS.get(msr)
        gpa = None if form is None else form.register.address_in(value)
        if form is None or gpa is None or gpa >= RAM_END:
            return
        area = self.areas.get((form.feature, gpa))
        if area is None:
            area = self._new(form, gpa)
        area.cpus.add(cpu)
        self._due(cpu, area)
        area.by_host |= by_host
        if by_host:
            self._put_by_vmm(area, {cpu})
        area.asked |= bool(form.mailbox) and not by_host
        area.promised = self._backed(gpa, form.size)

    def clocks_restored(self) -> None:
        """The VMM wrote the registers of all vCPUs again, their clocks' among them."""
        for area in self.areas.values():
            self._put_by_vmm(area, area.cpus)

    def _put_by_vmm(self, area: Area, cpus: Collection[int]) -> None:
        if EARLY_VERSION in self._allowed and area.form.update_when == "request":
            area.early.update(cpus)
            area.unsure = 2
            if not any(area is one for one in self._restored):
                self._restored.append(area)

    def _due(self, cpu: int, area: Area) -> None:
        """The host has to write ``area`` by the next entry of a vCPU."""
        area.registered = area.waiting = True
        area.delivered = False
        self._waiting.setdefault(cpu, []).append(area)

    def clock_due(self, served: Served, cpu: int | None = None) -> None:
        """The VMM has requested an update of a vCPU's clock (None: of all); an area of several vCPUs is left out."""
        for area in self.areas.values():
            wanted = area.form.update_when == "request" and (area.form.feature, area.gpa) in served
            owner = next(iter(area.cpus)) if len(area.cpus) == 1 else None
            if wanted and owner is not None and cpu in (None, owner):
                self._due(owner, area)

    def disturbed(self, cpu: int | None = None) -> None:
        """The VMM acts on a vCPU (None: on all) that has requested a token and not entered since.

        Whether the token was there before depends on the vendor's code, and on interrupts; so does what follows.
        """
        waiting = self._waiting.items() if cpu is None else [(cpu, self._waiting.get(cpu, []))]
        self._tokens_differ |= any(area.asked for _, areas in waiting for area in areas)

    def _new(self, form: Form, gpa: int) -> Area:
        area = Area(form, gpa)
        for other in self.areas.values():
            if other.gpa < area.end and gpa < other.end:
                area.alone = other.alone = False
                # Whether a token is taken, and later events, may now depend on the value of a clock.
                self._tokens_differ |= bool(form.mailbox or other.form.mailbox)
        if form.version is not None:
            version = int.from_bytes(self._shadow[gpa + form.version : gpa + form.version + 4], "little")
            area.seen = (version, version)
        self.areas[form.feature, gpa] = area
        return area

    def stored(self, gpa: int, data: bytes, served: Served = frozenset()) -> None:
        """The guest wrote memory that a memslot backs."""
        end = gpa + len(data)
        self._shadow[gpa:end] = data
        for area in self.areas.values():
            if area.form.version is None:
                continue
            at = area.gpa + area.form.version
            if gpa < at + 4 and at < end:
                whole = gpa <= at and at + 4 <= end
                version = int.from_bytes(data[at - gpa : at - gpa + 4], "little")
                area.seen = (version, version) if whole else None
                area.served |= (area.form.feature, area.gpa) in served
                area.delivered = area.by_host = False

    def appeared(self, gpa: int, size: int, served: Served, *, readonly: bool = False) -> None:
        """A zeroed memslot was added."""
        self._memory[gpa] = gpa + size
        self._readonly.discard(gpa)
        self._readonly |= {gpa} if readonly else set()
        self.stored(gpa, bytes(size), served)
        self._changed(gpa, gpa + size)

    def disappeared(self, gpa: int) -> None:
        """A memslot was deleted."""
        self._changed(gpa, self._memory.pop(gpa))

    def protected(self, gpa: int, readonly: bool) -> None:
        """A memslot became read-only, or writable again."""
        self._readonly.discard(gpa)
        self._readonly |= {gpa} if readonly else set()
        self._changed(gpa, self._memory[gpa])

    def moved(self, gpa: int) -> None:
        """A memslot got other pages of the host, with the same content."""
        self._changed(gpa, self._memory[gpa])

    def _changed(self, low: int, high: int) -> None:
        for area in self.areas.values():
            if area.gpa < high and low < area.end and area.form.update_when != "request":
                area.promised = False

    def snapshot(self) -> None:
        """The VMM keeps memory."""
        kept = bytearray(len(self._shadow))
        for low, high in self._memory.items():
            kept[low:high] = self._shadow[low:high]
        self._kept = bytes(kept)

    def restored(self) -> None:
        """The VMM wrote the kept memory back: areas hold what they held then, which two hosts need not share."""
        self._shadow[:] = self._kept
        for area in self.areas.values():
            area.seen, area.delivered = None, False
        self.clocks_restored()

    def unpromised_pages(self) -> frozenset[int]:
        """Return the page frames of areas that the simulator's host may write before, or without, KVM."""
        loose = (a for a in self.areas.values() if not a.promised or (a.form.mailbox and self._tokens_differ))
        return self._early.union(page for area in loose for page in area.pages)

    def log_taken(self) -> None:
        """A dirty log was read: a token that a guest has requested may be in it, or in the next one."""
        self._early = frozenset(page for area in self.areas.values() if area.asked for page in area.pages)

    def _backed(self, gpa: int, size: int) -> bool:
        end = gpa + size
        for start, stop in sorted(self._memory.items()):
            if start <= gpa < stop and start not in self._readonly:
                gpa = stop
        return gpa >= end

    # -- judging -----------------------------------------------------------------------------------------

    def judge(self, gpa: int, simulated: bytes, real: bytes, served: frozenset[tuple[str, int]]) -> Difference | None:
        """Return the first difference between two loads at ``gpa`` that breaks a rule; record the versions."""
        found: Difference | None = None
        near = [area for area in self.areas.values() if area.gpa < gpa + len(simulated) and gpa < area.end]
        for area in near:
            different = self._judge_area(area, gpa, simulated, real, (area.form.feature, area.gpa) in served)
            found = found or different
        return found or self._judge_bytes(near, gpa, simulated, real)

    def _judge_area(self, area: Area, gpa: int, simulated: bytes, real: bytes, served: bool) -> Difference | None:
        form = area.form
        at = area.gpa - gpa + (form.version or 0)
        if form.version is None or at < 0 or at + 4 > len(simulated):
            return None
        now = (int.from_bytes(simulated[at : at + 4], "little"), int.from_bytes(real[at : at + 4], "little"))
        before, area.seen = area.seen, now
        was_served, area.served = area.served, served
        registered, area.registered = area.registered, False
        by_host, area.by_host = area.by_host, False
        delivered, area.delivered = area.delivered and area.promised, False
        if before is None:
            area.loose = True
            return None
        moved, really = now[0] != before[0], now[1] != before[1]
        area.loose = moved != really or (area.loose and not moved)
        if area.unsure and not area.early and (area.unsure == 2 or (moved and really)):
            area.unsure -= 1
        if not area.alone:
            return None
        if form.update_when == "request" and really and not moved and by_host and EARLY_VERSION in self._allowed:
            self.explained[EARLY_VERSION] += 1
            return None
        at_entries = form.update_when == "entry"
        served &= at_entries or not area.waiting or was_served
        may = (was_served or served or (registered and at_entries)) and not (delivered and served)
        why = _wrong(form, now, moved, really, may=may, promised=area.promised, alike=not area.loose)
        if not why:
            return None
        expect = _expected(form, before, now[1], really, really != moved)
        return Difference(at, 4, f"{form.feature}: {why}", area.gpa, expect)

    def _judge_bytes(self, near: list[Area], gpa: int, simulated: bytes, real: bytes) -> Difference | None:
        if simulated == real:
            return None
        size = len(simulated)
        mask = bytearray(b"\xff" * size)
        for area in near:
            whole = gpa <= area.gpa and area.end <= gpa + size
            for low, high in self._free(area, whole):
                low, high = max(0, area.gpa - gpa + low), min(size, area.gpa - gpa + high)
                if low < high:
                    mask[low:high] = bytes(high - low)
        apart = int.from_bytes(simulated, "little") ^ int.from_bytes(real, "little")
        apart &= int.from_bytes(mask, "little")
        if not apart:
            return None
        offset = ((apart & -apart).bit_length() - 1) // 8
        rule = "a byte that no host may change, or both alike"
        return Difference(offset, 1, rule, gpa + offset, ("hex", (real[offset : offset + 1].hex(),)))

    def _free(self, area: Area, whole: bool) -> Iterator[tuple[int, int]]:
        if not area.alone:
            yield 0, area.form.size
            return
        yield from area.form.free
        for name, where in area.form.fields.items():
            if (area.form.feature, name) in self._left_out:
                yield where
        if self._tokens_differ or area.waiting:
            yield from area.form.mailbox
        if area.unsure:
            yield area.form.fields["flags"]
        if area.loose or not whole:
            yield from area.form.rewritten


def _wrong(
    form: Form, now: tuple[int, int], moved: bool, really: bool, *, may: bool, promised: bool, alike: bool
) -> str:
    """Return how two versions differ against the rules, as text; empty if they do not."""
    if form.update_when == "registration":
        return "" if now[0] == now[1] else "its version counts registrations, and the counts differ"
    if moved and not really and promised:
        return "the simulator's host has written it, KVM has not"
    if really and not moved and not may:
        return "KVM has written it; the simulator's host has not, and does not serve it or should have written it"
    if alike and (now[0] ^ now[1]) & 1:
        return "one version is odd, the other even"
    return ""


def _expected(
    form: Form, before: tuple[int, int], now: int, really: bool, one_wrote: bool
) -> tuple[str, tuple[str, ...]]:
    """Return an expectation on KVM's version for a replay file: its value, that it changed, or its evenness."""
    if one_wrote and really and form.update_when != "registration":
        return "not_hex", tuple(_digits(version) for version in dict.fromkeys(before) if version != now)
    if one_wrote or form.update_when == "registration":
        return "hex", (_digits(now),)
    return "hex", tuple(f"?{digit:x}" for digit in range(now & 1, 16, 2))


def _digits(version: int) -> str:
    return version.to_bytes(4, "little").hex()
