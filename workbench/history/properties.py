"""Failures that only historical bugs need: outside the guest's memory, or in the guest's own code.

They are checked together with the catalogue of ``workbench.checking.failures``. A variant records the failure as a
ghost (by the step ``Note``, which a host may also take here); the property says that it never happens.
"""

from workbench.checking.facts import Facts
from workbench.checking.failures import Failure
from workbench.checking.failures.premises import an_area_is_served, in_some_place, is_believed
from workbench.checking.ghosts import Ghost
from workbench.core.host_state import VM, Key, baseline

FOREIGN = Ghost("host touched memory that is not the guest's")
TRIPPED = Ghost("host met what its code holds impossible")
DROPPED = Ghost("an update that was due was dropped")
GUEST_TRIPPED = Ghost("guest used a mapping that it had torn down")
FLUSH_LEFT_TO_HOST = Ghost("a vCPU left its TLB flush to the host")
GAVE_UP = Ghost("VMM gave up a migration because of a refusal that the guest does not need")
VMM_ASKED = Ghost("VMM asked the host for something of its own accord")
READ_TIME = Ghost("time of day as the guest has it")
FLUSHED = Ghost("host flushed the TLB as it was asked")


def time_of_day() -> Key:
    """The key of the host's time of day at which the guest booted (value: s); another host has another."""
    return baseline(VM, "time of day")


def _no_flush_is_lost(facts: Facts) -> bool:
    return not facts.at_rest() or not facts.value(FLUSH_LEFT_TO_HOST) or bool(facts.value(FLUSHED))


def _time_of_day_is_the_hosts(facts: Facts) -> bool:
    read = facts.value(READ_TIME)
    return not read or read == facts.value(time_of_day())


FOREIGN_MEMORY = Failure(
    "H01",
    "foreign-memory",
    "always",
    lambda facts: not facts.value(FOREIGN),
    what="By a guest's registration the host reads or writes memory that is not this guest's.",
    why="It is the host's own, or another guest's: a crash, or a way out of the guest.",
    example="The host has mapped one page and writes an area that goes on in the next.",
    seen="CVE-2013-1796, CVE-2013-1797, CVE-2013-1798, CVE-2013-6368; Linux 7e2175ebd695 (2021).",
    premise=an_area_is_served,
)
HOST_TRIPS = Failure(
    "H02",
    "host-trips",
    "always",
    lambda facts: not facts.value(TRIPPED),
    what="A registration brings the host into a state that its own code holds impossible: a fault, a BUG, a WARN_ON.",
    why="A guest, or a migration stream, can stop a host, at least one that panics on a warning.",
    example="An area that is not aligned, on a machine whose atomic accesses must be.",
    seen="XSA-327 (CVE-2020-15564); RISC-V fa9681ed5c6a (2026).",
    premise=an_area_is_served,
)
UPDATE_DROPPED = Failure(
    "H03",
    "update-dropped",
    "always",
    lambda facts: not facts.value(DROPPED),
    what="The area is registered and there, and the host drops an update because it cannot find it at this moment.",
    why="The payload stands still for as long as the guest is in user mode, or for ever.",
    example="An area registered by virtual address, and page tables that do not map it in user mode.",
    seen='Xen, "Error during update_runstate_area with KPTI activated" (xen-devel, May 2020).',
    premise=an_area_is_served,
)
GUEST_TRIPS = Failure(
    "H04",
    "guest-trips",
    "always",
    lambda facts: not facts.value(GUEST_TRIPPED),
    what="One CPU of the guest tears down its mapping of an area while another one reads it.",
    why="The reader faults in the kernel.",
    example="CPU hot-unplug unmaps stolen time between a reader's look at the pointer and its use.",
    seen="Linux 19bef63f951e (arm64, 2022).",
    premise=in_some_place(is_believed),
)
LOST_REQUEST = Failure(
    "H05",
    "lost-request",
    "always",
    _no_flush_is_lost,
    what="The guest asks the host for something by a bit in a payload; the host clears the bit and has not seen it.",
    why="A TLB flush that everybody believes done: a process reads memory that was another's.",
    example="The flush bit of steal_time.preempted is set between the host's reading and its clearing of the byte.",
    seen="CVE-2019-3016.",
    premise=lambda facts: bool(facts.value(FLUSH_LEFT_TO_HOST)),
)

#: Not F29 (machine-ended): the machine goes on where it is, with all that it has, and no area fares worse by it.
CANNOT_MOVE = Failure(
    "H06",
    "cannot-move",
    "always",
    lambda facts: not facts.value(GAVE_UP),
    what="The host refuses what this guest has not asked for, and the VMM gives up the migration; the machine stays.",
    why="A guest that does not use a feature cannot be migrated because of it.",
    example="The VMM says that the guest was stopped; the guest is in its firmware and has no clock, so KVM refuses.",
    seen="cloud-hypervisor pull request 3591.",
    premise=lambda facts: bool(facts.value(VMM_ASKED)),
)
OLD_TIME = Failure(
    "H07",
    "old-time-of-day",
    "always",
    _time_of_day_is_the_hosts,
    what="The guest takes for the present time of day what the host wrote long ago, and would write anew if asked.",
    why="The guest's time of day differs from the host's for as long as it does not ask.",
    example="The guest registers the wall clock once, at boot, and only reads it afterwards.",
    seen="OSv issue 1015 (2018).",
    premise=lambda facts: bool(facts.value(READ_TIME)),
)

OWN = (FOREIGN_MEMORY, HOST_TRIPS, UPDATE_DROPPED, GUEST_TRIPS, LOST_REQUEST, CANNOT_MOVE, OLD_TIME)
