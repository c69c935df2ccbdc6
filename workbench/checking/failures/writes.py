"""Failures in which the host writes where it should not: others' memory, outside an area, another vCPU's area."""

from itertools import combinations

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Failure
from workbench.checking.ghosts import BEYOND, STRAY
from workbench.core.address_map import DESCRIPTOR
from workbench.core.memory import GPA_LIMIT


def served(facts: Facts) -> list[tuple[Place, int]]:
    """Return the areas that the host writes to, with the gpa of each."""
    places = (place for place in facts.places() if place.feature.update_when != "never")
    return [(place, gpa) for place in places if (gpa := facts.live(place)) is not None]


def _stays_inside(facts: Facts, place: Place, gpa: int) -> bool:
    size = place.feature.size
    if gpa + size > GPA_LIMIT or (facts.reachable(gpa, 1) and not facts.reachable(gpa, size)):
        return False
    addresses = facts.scenario.addresses
    unit = facts.scenario.unit_at(gpa)
    return unit is None or gpa + size <= addresses.gpa(unit) + addresses.size(unit.what)


def _writes_inside(facts: Facts) -> bool:
    return not facts.value(BEYOND) and all(_stays_inside(facts, *area) for area in served(facts))


def _own_vcpu(facts: Facts) -> bool:
    for place, gpa in served(facts):
        unit = facts.scenario.unit_at(gpa)
        if unit is not None and place.owner >= 0 and unit.cpu not in (place.owner, -1):
            return False
    return True


def _apart(facts: Facts) -> bool:
    areas = served(facts)
    for (one, a), (other, b) in combinations(areas, 2):
        if a < b + other.feature.size and b < a + one.feature.size:
            return False
    ends = [facts.scenario.unit_at(at) for place, gpa in areas for at in (gpa, gpa + place.feature.size - 1)]
    return not any(unit is not None and unit.what == DESCRIPTOR for unit in ends)


STRAY_WRITE = Failure(
    "F01",
    "stray-write",
    "always",
    lambda facts: not facts.value(STRAY),
    what="The host writes to memory that the guest has given to a new owner.",
    why="The data of the new owner (a new kernel, a process, the page allocator) is corrupted, and noticed much later.",
    example="A guest registers steal time and kexecs without revoking; the next vCPU load writes into the new kernel.",
    seen="Linux 8b79feffeca2, c02027b5742b, 3d6b84132d2a (5.13, 2021): hibernation, kexec and crash left PV features "
    "registered, bad page reports followed; CVE-2013-1797: memory removed after registration, then written.",
)
WRITE_OUTSIDE = Failure(
    "F07",
    "write-outside",
    "always",
    _writes_inside,
    what="An area that the host serves extends beyond the memory it was given, beyond RAM, or wraps at 2^64.",
    why="The host writes bytes that were not registered; in a real host possibly its own memory.",
    example="An area that begins in a 24-byte descriptor and is 64 bytes long.",
    seen="CVE-2013-1796 (SYSTEM_TIME across a page end), CVE-2013-6368 (VAPIC page), f1b9dd5eb86c "
    '("kvm: Disallow wraparound in kvm_gfn_to_hva_cache_init", 2018).',
)
WRONG_VCPU = Failure(
    "F12",
    "wrong-vcpu",
    "always",
    _own_vcpu,
    what="The host writes one vCPU's payload into memory of another vCPU.",
    why="The clock or steal counter of another CPU looks plausible but is wrong.",
    example="vCPU 1 registers the address that vCPU 0 has registered.",
    seen="No shipped instance is known here. Xen lets any vCPU register for any other (public/vcpu.h); PAPR allows it "
    "and calls it problematic (Linux arch/powerpc/platforms/pseries/lpar.c).",
    needs=frozenset({"second vCPU"}),
)
OVERLAP = Failure(
    "F17",
    "overlapping-areas",
    "always",
    _apart,
    what="Two areas that the host writes share bytes, or an area overlaps a descriptor.",
    why="Each update destroys the other payload, or the result that a guest is about to read.",
    example="Steal time and kvmclock registered at one address.",
    seen="Hyper-V overlay pages may be stacked, in an order that is up to the implementation (TLFS 5.2.1); "
    "no KVM register compares its address with another's (Linux 6.12 arch/x86/kvm/x86.c).",
)
