"""Failures of the host's state: it grows without bound, a restore changes it, or a refused value is kept."""

from collections.abc import Iterator
from typing import NamedTuple

from workbench.checking.content import changed
from workbench.checking.facts import Facts
from workbench.checking.failures.failure import Claim, Failure, Violation
from workbench.checking.ghosts import REPLAYED, RESTORED, RESTORED_OTHERWISE, refused
from workbench.checking.visible_state import holds, is_near, keeps_addresses
from workbench.core.host_state import DERIVED, VM, Key, register
from workbench.core.outcome import REFUSED
from workbench.core.scenario import attempts, refused_at
from workbench.core.step_text import key_text, value_text, whose

#: More entries than this for one vCPU count as unbounded; no kernel needs so many areas.
MOST_ENTRIES = 16 + 1  # 16 areas, and the number of areas


def _unbounded(facts: Facts) -> Iterator[Violation]:
    if facts.names() <= MOST_ENTRIES:
        return
    for owner in (VM, *range(facts.scenario.vcpus)):
        count = facts.registrations(owner)
        if count > MOST_ENTRIES:
            of = whose(owner)
            yield Violation(of, f"the host holds {count} entries of {of}; {MOST_ENTRIES} are allowed")


def _many_were_asked_for(facts: Facts) -> bool:
    return any((facts.value(attempts(cpu)) or 0) >= MOST_ENTRIES for cpu in range(facts.scenario.vcpus))


def _restored_otherwise(facts: Facts) -> Iterator[Violation]:
    for key, before, after in facts.value(RESTORED_OTHERWISE) or ():
        was, now = (value_text(value) if value is not None else "nothing" for value in (before, after))
        yield Violation(key_text(key), f"{key_text(key)} was {was} on the first host, and is {now} after the restore")


def _replayed(facts: Facts) -> Iterator[Violation]:
    for what in facts.value(REPLAYED) or ():
        yield Violation(what, f"the restore wrote to guest memory: {what}")


def _something_was_restored(facts: Facts) -> bool:
    return bool(facts.value(RESTORED))


class _Refusal(NamedTuple):
    """A refused call: of which feature or register, whose, the refused value, and the register that may hold it."""

    what: str
    owner: int
    value: int
    own: Key | None
    is_last: bool  #: the guest has concluded nothing else since


def _refusals(facts: Facts) -> Iterator[_Refusal]:
    for cpu in range(facts.scenario.vcpus):
        for msr in sorted(facts.scenario.protocol.msrs):
            value = facts.value(refused(cpu, msr))
            if value:
                yield _Refusal(_named(facts, msr), cpu, value, register(cpu, msr), is_last=True)
    for place in facts.places():
        gpa = facts.value(refused_at(place.owner, place.feature.name))
        if gpa is not None:
            is_last = facts.concluded(place) is REFUSED
            yield _Refusal(place.feature.name, place.owner, gpa, None, is_last)


def _named(facts: Facts, msr: int) -> str:
    """Return the feature that has a register, or the register."""
    owners = (f.name for f in facts.scenario.features if any(one.msr == msr for one in f.registers))
    return next(owners, f"register {msr:#x}")


def _remembered(facts: Facts) -> Iterator[Violation]:
    for one in _refusals(facts):
        key = _holder(facts, one)
        if key is not None:
            was = f"{one.what} of {whose(one.owner)} was refused {one.value:#x}"
            yield Violation(one.what, f"{was}, and the host keeps it as {key_text(key)}")


def _holder(facts: Facts, refusal: _Refusal) -> Key | None:
    """Return the registration state that holds a refused value and that no accepted request explains.

    Another owner may be registering the same address, in a call of several exits or with a result that it has not noted
    yet; so may the same one, after its refusal. Such state is judged at rest only.
    """
    value = refusal.value
    if refusal.own is not None and facts.value(refusal.own) == value:
        return refusal.own
    if any(is_near(facts.believed(place), value) for place in facts.places()):
        return None  # the same address, registered by another call
    under_way = {key for cpu in range(facts.scenario.vcpus) for key, _ in facts.value(changed(cpu)) or ()}
    kept = (key for key, held in facts.held() if _is_registry(key) and holds(held, value) and key not in under_way)
    return next((key for key in kept if (key.cpu == refusal.owner and refusal.is_last) or facts.at_rest()), None)


def _is_registry(key: Key) -> bool:
    """Tell whether an entry is registration state; registers are compared by their own refused value."""
    return key.kind not in DERIVED and key.kind != "register"


def a_call_was_refused(facts: Facts) -> bool:
    """Tell whether a call was refused by a design whose registration state would show what it keeps."""
    scenario = facts.scenario
    return any(keeps_addresses(scenario.protocol, feature) for feature in scenario.supported()) and any(
        True for _ in _refusals(facts)
    )


UNBOUNDED = Failure(
    "F08",
    "unbounded-state",
    "always",
    Claim(_unbounded),
    what="A guest makes the host store more areas of one vCPU than any kernel needs.",
    why="It costs memory in the host and bytes in every migration, and no VMM knows how long the list can get.",
    example="A loop that registers a new type each time.",
    seen="The objection of 26 January 2011 itself; shipped designs have a fixed set (PAPR: three areas, each with its "
    "pseudo-register, Linux 55b665b0263a).",
    premise=_many_were_asked_for,
)
RESTORE_DIFFERS = Failure(
    "F09",
    "restore-differs",
    "always",
    Claim(_restored_otherwise),
    what="After a restore the destination holds some state, but not the same as the source.",
    why="Restoring by other rules than registering, or in another order, gives a different machine.",
    example="A register shows an address that its write did not map; the destination writes the register again.",
    seen="RISC-V fa9681ed5c6a (2026): KVM_SET_ONE_REG accepted a steal-time address that the guest's call refuses; "
    '"target/i386: Fix VM migration when interrupt based APF is enabled" (2020): EN restored before INT. '
    "Linux 6.12: ASYNC_PF_EN keeps what it refuses; refused again it ends KVM_SET_MSRS, and steal time is lost.",
    premise=_something_was_restored,
)
RESTORE_REPLAYS = Failure(
    "F10",
    "restore-replays",
    "always",
    Claim(_replayed),
    what="Restoring writes guest memory: the side effect of a registration happens again.",
    why="The memory may hold newer data, or may have a new owner.",
    example="KVM_SET_MSRS of the wall clock's address writes twelve bytes into the guest, once for each vCPU.",
    seen="KVM_CAP_HYPERV_SYNIC2 (Linux Documentation/virt/kvm/api.rst) exists because restoring zeroed message pages; "
    "kvm_write_wall_clock runs for host writes too (arch/x86/kvm/x86.c).",
    premise=_something_was_restored,
)
REMEMBERED = Failure(
    "F16",
    "refused-but-remembered",
    "always",
    Claim(_remembered),
    what="A call is refused, but the host keeps the value that it refused.",
    why="The value can be read back, is migrated and refused there, or takes effect as soon as memory appears.",
    example="ASYNC_PF_EN with an address outside RAM.",
    seen="afd67ee3cbbd (5.16): PV_EOI_EN; syzbot bc0e18379a290e5edfe4 (2025): ASYNC_PF_EN, Linux 6.12.",
    premise=a_call_was_refused,
)
