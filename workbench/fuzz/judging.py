"""Judges two looks at the same guest memory: which bytes and which counters must agree.

* Bytes outside all areas that were ever registered are equal; so are padding and flags inside of them.
* A version's lowest bit is equal from when both hosts have written until only one of them writes.
* KVM writes at least as often as the simulator's host; where KVM alone has written, the simulator's host serves that
  area now, or did at the last comparison.
* A clock is not written before its vCPU has entered, unless this kernel is known to (EARLY_VERSION).
* An area that was registered, and whose vCPU has entered since, is written by both or by none.
* The wall clock's version counts registrations: equal. The token of an asynchronous page fault: equal.

Where less is compared, an exclusion says so (``exclusions``), and each difference that it covers is counted.
"""

from collections.abc import Iterator
from typing import NamedTuple

from workbench.fuzz.areas import Area, Form
from workbench.fuzz.payload import EARLY_VERSION, Payloads, Served
from workbench.fuzz.tokens import EARLY

MORE, UNSEEN, OVERLAP = "more-updates", "unseen-version", "overlap"
EARLY_STEAL, OWN = "early-steal", "own-feature"
_WAKE_ALL = b"\xff"  #: each byte of the token that wakes all tasks


class Difference(NamedTuple):
    """Bytes [offset, offset + size) of a load on which the hosts disagree, and the rule that this breaks."""

    offset: int
    size: int
    rule: str
    gpa: int  #: of the area, or of the byte
    expect: tuple[str, tuple[str, ...]]  #: ``hex`` or ``not_hex``, and hex digits from ``offset`` on: KVM's side


def judge(payloads: Payloads, gpa: int, simulated: bytes, real: bytes, served: Served) -> Difference | None:
    """Return the first difference between two loads at ``gpa`` that breaks a rule; record the versions.

    ``served``: the areas that the simulator's host serves.
    """
    found: Difference | None = None
    end = gpa + len(simulated)
    near = [area for area in payloads.areas.values() if area.gpa < end and gpa < area.end]
    for area in near:
        different = _judge_version(payloads, area, gpa, simulated, real, (area.form.feature, area.gpa) in served)
        found = found or different
    return found or _judge_bytes(payloads, near, gpa, simulated, real)


# -- versions ------------------------------------------------------------------------------------------------


def _judge_version(
    payloads: Payloads, area: Area, gpa: int, simulated: bytes, real: bytes, served: bool
) -> Difference | None:
    form = area.form
    at = area.gpa - gpa + (form.version or 0)
    if form.version is None or at < 0 or at + 4 > len(simulated):
        return None
    now = (int.from_bytes(simulated[at : at + 4], "little"), int.from_bytes(real[at : at + 4], "little"))
    before, area.seen, area.looked = area.seen, now, payloads.turn
    since = _Since(area.served, area.by_host, area.by_guest, area.delivered)
    area.served, area.registered, area.by_host, area.by_guest, area.delivered = served, False, False, False, False
    if not area.has_version:
        return None
    if before is None:
        area.loose = True
        if payloads.left_out.applies(UNSEEN):
            payloads.explained[UNSEEN] += now[0] != now[1]
            return None
        before = (0, 0)
    why = _moved(payloads, area, since, before, now)
    if not why:
        return None
    return Difference(at, 4, f"{form.feature}: {why}", area.gpa, _expected(form, before, now))


class _Since(NamedTuple):
    """What is known of an area from its last comparison to this one."""

    was_served: bool
    by_host: bool
    by_guest: bool
    delivered: bool


def _moved(payloads: Payloads, area: Area, since: _Since, before: tuple[int, int], now: tuple[int, int]) -> str:
    """Return how two versions have moved against the rules, as text; empty if they have not."""
    form = area.form
    ours, kvms = _updates(before[0], now[0]), _updates(before[1], now[1])
    ours, area.spare = max(min(ours, kvms), ours - area.spare), 0
    area.loose = bool(ours) != bool(kvms) or (area.loose and not ours)
    if area.unsure and not area.early and (area.unsure == 2 or (ours and kvms)):
        area.unsure -= 1
    is_known = form.update_when == "request" and since.by_host and EARLY_VERSION in payloads.allowed
    at_entries = form.update_when == "entry"
    serving = area.served and (at_entries or not area.waiting or since.was_served)
    is_early = at_entries and since.by_guest and not (ours or since.was_served or serving)
    may = (since.was_served or serving or is_early) and not (since.delivered and serving)
    name = EARLY_VERSION if is_known else EARLY_STEAL if is_early else MORE
    may = is_known or (may and payloads.left_out.applies(name))
    why = _wrong(form, now, ours, kvms, may=may, alike=not area.loose)
    if not why and kvms != ours:
        payloads.explained[name] += 1
    return why


def _updates(before: int, now: int) -> int:
    """Return how many updates lie between two versions: an update goes from an even one, or past an odd one."""
    return ((now + 1 >> 1) - (before + 1 >> 1)) & 0x7FFF_FFFF


def _wrong(form: Form, now: tuple[int, int], ours: int, kvms: int, *, may: bool, alike: bool) -> str:
    """Return how two versions differ against the rules, as text; empty if they do not."""
    if form.update_when == "registration":
        return "" if now[0] == now[1] else "its version counts registrations, and the counts differ"
    if ours and not kvms:
        return "the simulator's host has written it, KVM has not"
    if kvms and not ours and not may:
        return "KVM has written it; the simulator's host has not, and does not serve it or should have written it"
    if (kvms - ours) & 0x4000_0000:
        return "KVM has written it less often than the simulator's host"
    if alike and (now[0] ^ now[1]) & 1:
        return "one version is odd, the other even"
    return ""


def _expected(form: Form, before: tuple[int, int], now: tuple[int, int]) -> tuple[str, tuple[str, ...]]:
    """Return an expectation on KVM's version for a replay file: its value, that it is another, or its evenness."""
    ours, kvms = (one != other for one, other in zip(before, now, strict=True))
    if form.update_when == "registration" or (ours and not kvms):
        return "hex", (_digits(now[1]),)
    if kvms and not ours:
        return "not_hex", tuple(_digits(version) for version in dict.fromkeys(before) if version != now[1])
    if (now[0] ^ now[1]) & 1:
        return "hex", tuple(f"?{digit:x}" for digit in range(now[1] & 1, 16, 2))
    return "not_hex", (_digits(now[0]),)


def _digits(version: int) -> str:
    return version.to_bytes(4, "little").hex()


# -- bytes ---------------------------------------------------------------------------------------------------


def _judge_bytes(payloads: Payloads, near: list[Area], gpa: int, simulated: bytes, real: bytes) -> Difference | None:
    if simulated != real:
        ours = bytearray(simulated)
        for area in near:
            _leave_out(payloads, area, gpa, ours, real)
        if ours != real:
            offset = next(at for at, byte in enumerate(ours) if byte != real[at])
            rule = "a byte that no host may change, or both alike"
            return Difference(offset, 1, rule, gpa + offset, ("hex", (real[offset : offset + 1].hex(),)))
    for area in near:
        if area.stale_token:
            low, high = (area.gpa - gpa + offset for offset in area.form.mailbox[0])
            if low >= 0 and high <= len(real) and simulated[low:high] == real[low:high]:
                area.stale_token = ""
    return None


def _leave_out(payloads: Payloads, area: Area, gpa: int, ours: bytearray, real: bytes) -> None:
    """Give ``ours``, the simulator's memory at ``gpa``, KVM's bytes where those of ``area`` are left out."""
    base, size = area.gpa - gpa, len(real)
    start, end = max(0, base), min(size, base + area.form.size)
    if ours[start:end] == real[start:end]:
        return
    for name, low, high in _free(payloads, area):
        low, high = max(start, base + low), min(end, base + high)
        if ours[low:high] == real[low:high] or (name == EARLY and not _is_ahead(ours[low:high], real[low:high])):
            continue
        ours[low:high] = real[low:high]
        if name:
            payloads.explained[name] += 1


def _is_ahead(simulated: bytearray, real: bytes) -> bool:
    """Tell whether KVM has the wake-all where the simulator still has what the guest left: none."""
    return not any(simulated) and real == _WAKE_ALL * len(real)


def _free(payloads: Payloads, area: Area) -> Iterator[tuple[str, int, int]]:
    """Yield what is left out of the comparison of an area's bytes: by which exclusion, from and to which offset."""
    form, left_out = area.form, payloads.left_out
    if form.version is not None:
        yield "", form.version, form.version + 4  # judged by itself
    for name, (low, high) in form.fields.items():
        if (form.feature, name) in left_out.fields:
            yield left_out.fields[form.feature, name], low, high
    for name, ranges in ((OWN, form.own), (OVERLAP, area.overlaps), (MORE, form.rewritten if area.loose else ())):
        if ranges and left_out.applies(name):
            yield from ((name, low, high) for low, high in ranges)
    for low, high in form.mailbox:
        if reason := payloads.tokens.why(area) or (EARLY if area.asked else ""):
            yield reason, low, high
    if area.unsure:
        yield EARLY_VERSION, *form.fields["flags"]
