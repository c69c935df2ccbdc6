"""Failures in which guest and host disagree on what is registered.

They are checked only when the machine is idle, because guest and host differ while a registration is under way.
"""

from collections.abc import Callable

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Failure


def _at_rest(agrees: Callable[[Facts, Place], bool]) -> Callable[[Facts], bool]:
    return lambda facts: not facts.at_rest() or all(agrees(facts, place) for place in facts.places())


def _not_lost(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    if believed is None or facts.live(place) is not None:
        return True
    return facts.served_last(place) != believed


def _known_to_guest(facts: Facts, place: Place) -> bool:
    live = facts.live(place)
    if facts.believed(place) is not None or live is None:
        return True
    return facts.scenario.addresses.belongs_to_host(live)  # the host's own memory, which no kernel gives away


def _success_is_true(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    if believed is None or facts.live(place) is not None:
        return True
    return facts.served_last(place) == believed


def _not_silent(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    if believed is None or facts.live(place) != believed:
        return True
    return facts.arrives(place, believed)


def _same_place(facts: Facts, place: Place) -> bool:
    believed, live = facts.believed(place), facts.live(place)
    return believed is None or live is None or live == believed


LOST = Failure(
    "F02",
    "lost-registration",
    "always",
    _at_rest(_not_lost),
    what="The guest believes that an area is registered, but its host (after a migration: the new one) has lost it.",
    why="The payload is no longer updated: the clock stops, steal time no longer rises, without any error.",
    example="A guest registers and is migrated by interfaces that do not carry the registry.",
    seen="Linux 55b665b0263a (2012): nothing could read the PAPR VPA registrations back, so migration lost them; "
    "the RISC-V PMU snapshot address has no one-reg in Linux 6.12.",
)
UNKNOWN_TO_GUEST = Failure(
    "F03",
    "unknown-to-guest",
    "always",
    _at_rest(_known_to_guest),
    what="The host serves an area that no kernel in the guest knows of.",
    why="No kernel will revoke it, and the host writes into the memory of its next owner.",
    example="A kernel with two vCPUs crashes; only the crashing vCPU can revoke its areas.",
    seen='Linux 3d6b84132d2a "Disable all PV features on crash" covers the crashing CPU only; '
    "Documentation/virt/hyperv/overview.rst: in a panic other CPUs' registers cannot be written.",
)
FALSE_SUCCESS = Failure(
    "F04",
    "false-success",
    "always",
    _at_rest(_success_is_true),
    what="The guest believes that a registration succeeded, but the host has never made it.",
    why="A result field that the host did not write, or an ignored instruction, looks like success.",
    example="kvm.ignore_msrs=1 on a host without the register: the write has no effect, result is still 0.",
    seen="Linux arch/x86/kvm/x86.c kvm_msr_ignored_check; RISC-V aa35bcf2e762 (2026): a misplaced goto let RV32 PMU "
    "snapshot calls succeed without registering; SYSTEM_TIME across a page end is accepted and not mapped.",
)
SILENT = Failure(
    "F11",
    "silent-area",
    "always",
    _at_rest(_not_silent),
    what="Guest and host agree on the area, but the host's writes cannot arrive there.",
    why='"Accepted" is not "active": memory may be removed after the check, or was missing and not checked.',
    example="The memslot of a registered area is deleted.",
    seen='Avi Kivity on ASYNC_PF_EN (7 October 2010): memory may be removed later, so "success" means nothing; '
    "Linux arch/powerpc/kvm/book3s_hv.c unregisters silently an area that no longer fits.",
)
OLD_AREA = Failure(
    "F15",
    "old-area-live",
    "always",
    _at_rest(_same_place),
    what="The guest has moved an area, but the host still serves the old address.",
    why="The new area stays empty, and the host writes to the old memory, which may have a new owner.",
    example="SYSTEM_TIME is written again with an address at which the structure crosses a page.",
    seen='901d3765fa80 "KVM: x86: revalidate steal time cache if MSR value changes" (2022); '
    "Linux 6.12 virt/kvm/pfncache.c __kvm_gpc_activate: the length check comes before the old mapping is dropped.",
)
