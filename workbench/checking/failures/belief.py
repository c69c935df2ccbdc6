"""Failures in which guest and host disagree on what is registered.

They are checked only when the machine is idle, because guest and host differ while a registration is under way.
"""

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Failure, for_places
from workbench.checking.failures.premises import at_rest, in_some_place, is_believed


def _lost(facts: Facts, place: Place) -> str | None:
    believed = facts.believed(place)
    if believed is None or facts.live(place) is not None or facts.served_last(place) != believed:
        return None
    return f"the guest believes {place} registered at {believed:#x}; the host served it there and no longer does"


def _was_served(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    return believed is not None and facts.served_last(place) == believed


def _unknown_to_guest(facts: Facts, place: Place) -> str | None:
    if facts.believed(place) is not None:
        return None
    live = facts.live(place)
    if live is None or facts.scenario.addresses.belongs_to_host(live):
        return None  # the host's own memory, which no kernel gives away
    return f"the host serves {place} at {live:#x}; no kernel believes it registered"


def _is_let_go(facts: Facts, place: Place) -> bool:
    """Tell whether no kernel believes an area registered that the guest has had or asked for, or asks for at boot.

    A value that the guest does not believe in counts as not set.
    """
    if place.feature.is_value or not facts.scenario.host.knows_protocol or facts.believed(place) is not None:
        return False
    was_asked = facts.concluded(place) is not None or facts.served_last(place) is not None
    return was_asked or place.feature.linux_boot is not None


def _false_success(facts: Facts, place: Place) -> str | None:
    believed = facts.believed(place)
    if believed is None or facts.live(place) is not None or facts.served_last(place) == believed:
        return None
    return f"the guest believes {place} registered at {believed:#x}, where the host has never served it"


def _silent(facts: Facts, place: Place) -> str | None:
    believed = facts.believed(place)
    if believed is None or facts.live(place) != believed or facts.arrives(place, believed):
        return None
    return f"guest and host agree on {place} at {believed:#x}, and the host's writes cannot arrive there"


def _is_agreed(facts: Facts, place: Place) -> bool:
    believed = facts.believed(place)
    return believed is not None and facts.live(place) == believed


def _old_area(facts: Facts, place: Place) -> str | None:
    if not _differs(facts, place):
        return None
    believed, live = facts.believed(place), facts.live(place)
    return f"the guest believes {place} registered at {believed:#x}; the host serves it at {live:#x}"


def _differs(facts: Facts, place: Place) -> bool:
    """Tell whether guest and host name different addresses."""
    believed = facts.believed(place)
    return believed is not None and (live := facts.live(place)) is not None and live != believed


def _moves(facts: Facts, place: Place) -> bool:
    """Tell whether an area has moved: to the next kernel, or so that guest and host name two addresses for a moment."""
    believed = facts.believed(place)
    if believed is None:
        return False
    unit = facts.scenario.unit_at(believed)
    if unit is not None and unit.generation > 0:
        return True
    served = facts.served_last(place)
    return (served is not None and served != believed) or _differs(facts, place)


LOST = Failure(
    "F02",
    "lost-registration",
    "always",
    for_places(_lost, at_rest=True),
    what="The guest believes that an area is registered, but its host (after a migration: the new one) has lost it.",
    why="The payload is no longer updated: the clock stops, steal time no longer rises, without any error.",
    example="A guest registers and is migrated by interfaces that do not carry the registry.",
    seen="Linux 55b665b0263a (2012): nothing could read the PAPR VPA registrations back, so migration lost them; "
    "the RISC-V PMU snapshot address has no one-reg in Linux 6.12.",
    premise=at_rest(in_some_place(_was_served)),
)
UNKNOWN_TO_GUEST = Failure(
    "F03",
    "unknown-to-guest",
    "always",
    for_places(_unknown_to_guest, at_rest=True),
    what="The host serves an area that no kernel in the guest knows of.",
    why="No kernel will revoke it, and the host writes into the memory of its next owner.",
    example="A kernel with two vCPUs crashes; only the crashing vCPU can revoke its areas.",
    seen='Linux 3d6b84132d2a "Disable all PV features on crash" covers the crashing CPU only; '
    "Documentation/virt/hyperv/overview.rst: in a panic other CPUs' registers cannot be written.",
    premise=at_rest(in_some_place(_is_let_go)),
)
FALSE_SUCCESS = Failure(
    "F04",
    "false-success",
    "always",
    for_places(_false_success, at_rest=True),
    what="The guest believes that a registration succeeded, but the host has never made it.",
    why="A result field that the host did not write, or an ignored instruction, looks like success.",
    example="kvm.ignore_msrs=1 on a host without the register: the write has no effect, result is still 0.",
    seen="Linux arch/x86/kvm/x86.c kvm_do_msr_access; RISC-V aa35bcf2e762 (2026): a misplaced goto let RV32 PMU "
    "snapshot calls succeed without registering; SYSTEM_TIME across a page end is accepted and not mapped.",
    premise=at_rest(in_some_place(is_believed)),
)
SILENT = Failure(
    "F11",
    "silent-area",
    "always",
    for_places(_silent, at_rest=True),
    what="Guest and host agree on the area, but the host's writes cannot arrive there.",
    why='"Accepted" is not "active": memory may be removed after the check, or was missing and not checked.',
    example="The memslot of a registered area is deleted.",
    seen='Avi Kivity on ASYNC_PF_EN (7 October 2010): memory may be removed later, so "success" means nothing; '
    "Linux arch/powerpc/kvm/book3s_hv.c unregisters silently an area that no longer fits.",
    premise=at_rest(in_some_place(_is_agreed)),
)
OLD_AREA = Failure(
    "F15",
    "old-area-live",
    "always",
    for_places(_old_area, at_rest=True),
    what="The guest has moved an area, but the host still serves the old address.",
    why="The new area stays empty, and the host writes to the old memory, which may have a new owner.",
    example="SYSTEM_TIME is written again with an address at which the structure crosses a page.",
    seen='901d3765fa80 "KVM: x86: revalidate steal time cache if MSR value changes" (2022); '
    "Linux 6.12 virt/kvm/pfncache.c __kvm_gpc_activate: the length check comes before the old mapping is dropped.",
    premise=in_some_place(_moves),
)
