"""Failures of content: what a guest reads, whether an update that was due is made, and what a refused call leaves."""

from collections.abc import Callable, Hashable, Iterator

from workbench.checking.content import (
    ANSWERED_EARLY,
    CHANGED_THOUGH_REFUSED,
    OVERWRITTEN,
    WENT_BACK,
    answered,
    made,
    overdue,
)
from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Claim, Failure, Violation, for_places
from workbench.checking.failures.host_state import a_call_was_refused
from workbench.checking.failures.premises import at_rest, in_some_place
from workbench.checking.frozen_clock import can_be_read, prepared
from workbench.core.contracts import Feature, Protocol
from workbench.core.host_state import VM, pending, staged


def _never(ghost: Hashable, sentence: str) -> Claim:
    """Return the claim that nothing was named by ``ghost``; ``sentence`` says what happened to each name."""

    def violations(facts: Facts) -> Iterator[Violation]:
        for name in facts.value(ghost) or ():
            yield Violation(name, sentence.format(name))

    return Claim(violations)


def content_of(facts: Facts, gpa: int, size: int) -> bytes:
    """Return guest memory as far as it is known; what nobody has accessed is 0."""
    data = bytearray(size)
    for offset, part in facts.content(gpa, size):
        data[offset : offset + len(part)] = part
    return bytes(data)


# -- what the registration state says --------------------------------------------------------------------


def _named_and_served(facts: Facts, place: Place) -> tuple[int | None, int | None]:
    protocol, entries = facts.scenario.protocol, dict(facts.held())
    told = entries, place.owner, place.feature, facts.believed(place) or 0
    return protocol.named(*told), protocol.serving(*told)


def _differ(facts: Facts, place: Place) -> str | None:
    named, served = (None if gpa is None else f"{gpa:#x}" for gpa in _named_and_served(facts, place))
    if named == served:
        return None
    return f"the registration state names {named or 'no address'} for {place}; the host serves {served or 'none'}"


def _keeps_state(facts: Facts, place: Place) -> bool:
    told = type(facts.scenario.protocol).named is not Protocol.named
    if facts.value(staged(place.owner, place.feature.name)):
        return False  # the next entry applies it
    return told and not place.feature.is_value and _named_and_served(facts, place) != (None, None)


# -- updates that are due --------------------------------------------------------------------------------


def _still_due(facts: Facts) -> Iterator[Violation]:
    for cpu in range(facts.scenario.vcpus):
        names = facts.value(overdue(cpu)) or ()
        for place in facts.places() if names else ():
            gpa = facts.live(place) if place.feature.name in names and place.owner in (cpu, VM) else None
            if gpa is not None and facts.reachable(gpa, place.feature.size):
                what = f"an update of {place} was due when vCPU {cpu} entered the guest, and was not made"
                yield Violation(place.feature.name, what)


def _made_and_due(facts: Facts) -> Iterator[Violation]:
    for cpu in range(facts.scenario.vcpus):
        for name in facts.value(made(cpu)) or ():
            if facts.value(pending(cpu, name)):
                yield Violation(name, f"the update of {name} of vCPU {cpu} was made, and the host counts it as due")


def _of_any_vcpu(facts: Facts, ghost: Callable[[int], Hashable]) -> bool:
    return any(facts.value(ghost(cpu)) for cpu in range(facts.scenario.vcpus))


# -- what stands in an area ------------------------------------------------------------------------------


def _is_written(facts: Facts, place: Place) -> bool:
    """Tell whether an area that the guest believes registered, and that the host serves, is not as it was prepared."""
    believed = facts.believed(place)
    if believed is None or facts.live(place) != believed or not facts.arrives(place, believed):
        return False
    return content_of(facts, believed, place.feature.size) != prepared(place.feature)


def _has_rule_of_reading(place: Place) -> bool:
    periodic = place.feature.update_when in ("entry", "request", "registration")
    return periodic and type(place.feature).read is not Feature.read


def _unreadable(facts: Facts, place: Place) -> str | None:
    if not _has_rule_of_reading(place) or not _is_written(facts, place):
        return None
    gpa = facts.believed(place) or 0
    if can_be_read(place.feature, content_of(facts, gpa, place.feature.size)):
        return None
    return f"no update of {place} at {gpa:#x} is under way, and what stands there tells a reader to wait"


def _is_to_be_read(facts: Facts, place: Place) -> bool:
    return _has_rule_of_reading(place) and _is_written(facts, place)


def _counts(facts: Facts, place: Place) -> bool:
    return bool(place.feature.counters) and _is_written(facts, place)


def _has_an_event(facts: Facts, place: Place) -> bool:
    compared = place.feature.compared
    return compared is not None and compared.mailbox is not None and _is_written(facts, place)


DIFFER = Failure(
    "F18",
    "state-and-area-differ",
    "always",
    for_places(_differ, at_rest=True),
    what="What a register shows, or a registry holds, is not the address at which the host serves the area.",
    why="A migration carries the register or the registry, so the destination serves another address or none.",
    example="An area is dropped, and the register through which it was registered still names it.",
    seen="Linux 6.12 arch/x86/kvm/x86.c: ASYNC_PF_EN keeps a value that it has refused; SYSTEM_TIME keeps an address "
    "that crosses a page, and the area served is the one before (virt/kvm/pfncache.c).",
    premise=at_rest(in_some_place(_keeps_state)),
)
BACK = Failure(
    "F19",
    "counter-went-back",
    "always",
    _never(WENT_BACK, "the host wrote a smaller number into a counter of {}"),
    what="The host writes a smaller number into a counter that the guest believes to be only growing.",
    why="A difference of two readings becomes negative or enormous: the guest's accounting of time is wrong for ever.",
    example="The host keeps the sum itself and writes it; after a migration it begins at 0 again.",
    seen='Linux 53f985584e3c "KVM: arm64: pvtime: Fix stolen time accounting across migration" (5.9).',
    premise=in_some_place(_counts),
)
OVERDUE = Failure(
    "F20",
    "update-overdue",
    "always",
    Claim(_still_due, at_rest=True),
    what="The host has entered the guest on a vCPU without an update that was due for it.",
    why="The guest reads a clock that is older than the request: time that was set, or moved, does not arrive.",
    example="A page of the VM is brought up to date when vCPU 0 enters, and vCPU 1 reads it before that.",
    seen="Linux e880c6ea55b9 (5.12): Hyper-V's TSC page was updated by one vCPU only; KVM_REQ_CLOCK_UPDATE exists so "
    "that each vCPU's clock is written before it runs (arch/x86/kvm/x86.c, vcpu_enter_guest).",
    premise=lambda facts: _of_any_vcpu(facts, overdue),
)
REPEATED = Failure(
    "F21",
    "update-repeated",
    "always",
    Claim(_made_and_due, at_rest=True),
    what="The host has made an update that was requested, and still counts it as due.",
    why="It is made again at every entry, after the guest has moved or freed the area, or has changed what it holds.",
    example="A handler writes the clock and does not clear the request.",
    seen="The kind: Linux 6.12 arch/x86/kvm/x86.c clears each KVM_REQ bit before it serves it (kvm_check_request).",
    premise=lambda facts: _of_any_vcpu(facts, made),
)
TOKEN = Failure(
    "F22",
    "token-overwritten",
    "always",
    _never(OVERWRITTEN, "the host overwrote an event of {} that the guest had not taken"),
    what="The host writes an event over one that the guest has not taken.",
    why="A task that waits for the first event waits for ever.",
    example="Two pages become ready, and the second token replaces the first.",
    seen="Linux 6.12 arch/x86/kvm/x86.c: apf_pageready_slot_free, and MSR_KVM_ASYNC_PF_ACK, exist for this.",
    premise=in_some_place(_has_an_event),
)
CHANGED = Failure(
    "F23",
    "changed-though-refused",
    "always",
    _never(CHANGED_THOUGH_REFUSED, "a refused call has changed {}"),
    what="The host refuses a call, and some of its registration state is not what it was before.",
    why="The guest goes on as if nothing had happened; what it had registered before may be gone.",
    example="A second ASYNC_PF_EN names an address outside RAM: #GP, and the first area is no longer served.",
    seen="afd67ee3cbbd (5.16): PV_EOI_EN; Linux 6.12: ASYNC_PF_EN drops its area before it refuses the new one.",
    premise=a_call_was_refused,
)
EARLY = Failure(
    "F24",
    "answered-early",
    "always",
    _never(ANSWERED_EARLY, "the host set {} after it had written the answer"),
    what="The host writes the answer into the descriptor, and only then does what the answer says.",
    why="A guest that reads the answer from another CPU, or a host that then fails, takes for done what is not.",
    example="The result is written before the area is entered into the registry.",
    seen="Rule of the 2011 proposal: the host registers the memory and then updates result. CVE-2023-4155 is the "
    "sibling: what was checked and what was done came apart.",
    premise=lambda facts: _of_any_vcpu(facts, answered),
)
UNREADABLE_AREA = Failure(
    "F25",
    "never-readable",
    "always",
    for_places(_unreadable, at_rest=True),
    what="No update is under way, and the payload still tells the guest to wait: its version is odd.",
    why="A guest that follows the rule of the version spins for ever.",
    example="The host makes the version odd, writes the fields, and does not make it even again.",
    seen="The version rule of struct pvclock_vcpu_time_info and pvclock_wall_clock (Linux "
    "Documentation/virt/kvm/x86/msr.rst); a12a9b31a3a5 concerned steal time's version.",
    premise=at_rest(in_some_place(_is_to_be_read)),
)
