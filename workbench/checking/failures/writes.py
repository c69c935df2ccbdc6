"""Failures in which the host writes where it should not: others' memory, outside an area, another vCPU's area."""

from collections.abc import Iterator
from itertools import combinations

from workbench.checking.facts import Facts, Place
from workbench.checking.failures.failure import Claim, Failure, Violation
from workbench.checking.failures.premises import an_area_is_served, served
from workbench.checking.ghosts import BEYOND, STRAY, OwnerOf
from workbench.core.address_map import DESCRIPTOR
from workbench.core.memory import GPA_LIMIT, PAGE_SIZE
from workbench.core.scenario import refused_at


def _stray(facts: Facts) -> Iterator[Violation]:
    for what in facts.value(STRAY) or ():
        yield Violation(what, f"the host wrote to the memory of {what}, which has a new owner")


def _memory_has_a_new_owner(facts: Facts) -> bool:
    """Tell whether memory in which the first kernel had areas has been given away."""
    area = facts.scenario.addresses.area
    return any(facts.value(OwnerOf(area(0, place.owner, place.feature))) is not None for place in facts.places())


def _outside(facts: Facts) -> Iterator[Violation]:
    for what in facts.value(BEYOND) or ():
        yield Violation(what, f"the host wrote beyond the memory of {what} in which its write began")
    for place, gpa in served(facts):
        sentence = _sticks_out(facts, place, gpa)
        if sentence is not None:
            yield Violation(place.feature.name, f"the host serves {place} at {gpa:#x}, and the area {sentence}")


def _sticks_out(facts: Facts, place: Place, gpa: int) -> str | None:
    size, addresses, unit = place.feature.size, facts.scenario.addresses, facts.scenario.unit_at(gpa)
    if gpa + size > GPA_LIMIT:
        return "wraps at 2^64"
    if facts.reachable(gpa, 1) and not facts.reachable(gpa, size):
        return "extends beyond RAM"
    if place.feature.one_mapping and gpa // PAGE_SIZE != (gpa + size - 1) // PAGE_SIZE:
        return "crosses a page, of which the host has mapped the first; the next is not its neighbour in the host"
    if unit is not None and gpa + size > addresses.gpa(unit) + addresses.size(unit.what):
        return f"extends beyond the {addresses.size(unit.what)} bytes of {unit.what}"
    return None


def _asked_to_stick_out(facts: Facts) -> bool:
    """Tell whether an area that the guest has asked for, or that the host serves, is not all in memory made for it."""
    for place in facts.places() if facts.scenario.host.knows_protocol else ():
        asked = (facts.believed(place), facts.value(refused_at(place.owner, place.feature.name)), facts.live(place))
        if not place.feature.is_value and any(gpa is not None and _sticks_out(facts, place, gpa) for gpa in asked):
            return True
    return False


def _of_another_vcpu(facts: Facts) -> Iterator[Violation]:
    for place, gpa in served(facts):
        unit = facts.scenario.unit_at(gpa)
        if unit is not None and place.owner >= 0 and unit.cpu not in (place.owner, -1):
            yield Violation(place.feature.name, f"the host serves {place} at {gpa:#x}, memory of vCPU {unit.cpu}")


def _one_of_several_vcpus_is_served(facts: Facts) -> bool:
    return facts.scenario.vcpus > 1 and any(place.owner >= 0 for place, _ in served(facts))


def _overlapping(facts: Facts) -> Iterator[Violation]:
    areas = list(served(facts))
    for (one, a), (other, b) in combinations(areas, 2):
        if a < b + other.feature.size and b < a + one.feature.size:
            sentence = f"the host writes {one} at {a:#x} and {other} at {b:#x}, and they share bytes"
            yield from (Violation(place.feature.name, sentence) for place in (one, other))
    for place, gpa in areas:
        ends = (facts.scenario.unit_at(gpa), facts.scenario.unit_at(gpa + place.feature.size - 1))
        if any(unit is not None and unit.what == DESCRIPTOR for unit in ends):
            yield Violation(place.feature.name, f"the host writes {place} at {gpa:#x}, over a descriptor")


def _two_could_meet(facts: Facts) -> bool:
    """Tell whether the host writes an area, and it writes another, has refused another, or reads a descriptor."""
    if facts.scenario.protocol.descriptor is not None:
        return an_area_is_served(facts)
    others = [facts.live(place) or facts.value(refused_at(place.owner, place.feature.name)) for place in facts.places()]
    return sum(gpa is not None for gpa in others) > 1 and an_area_is_served(facts)


STRAY_WRITE = Failure(
    "F01",
    "stray-write",
    "always",
    Claim(_stray),
    what="The host writes to memory that the guest has given to a new owner.",
    why="The data of the new owner (a new kernel, a process, the page allocator) is corrupted, and noticed much later.",
    example="A guest registers steal time and kexecs without revoking; the next vCPU load writes into the new kernel.",
    seen="Linux 8b79feffeca2, c02027b5742b, 3d6b84132d2a (5.13, 2021): hibernation, kexec and crash left PV features "
    "registered, bad page reports followed; CVE-2013-1797: memory removed after registration, then written.",
    premise=_memory_has_a_new_owner,
)
WRITE_OUTSIDE = Failure(
    "F07",
    "write-outside",
    "always",
    Claim(_outside),
    what="An area that the host serves extends beyond the memory it was given, RAM, 2^64, or the page that was mapped.",
    why="The host writes bytes that were not registered; in a real host possibly its own memory.",
    example="An area that begins in a 24-byte descriptor and is 64 bytes long.",
    seen="CVE-2013-1796 (SYSTEM_TIME across a page end), CVE-2013-6368 (VAPIC page), f1b9dd5eb86c "
    '("kvm: Disallow wraparound in kvm_gfn_to_hva_cache_init", 2018).',
    premise=_asked_to_stick_out,
)
WRONG_VCPU = Failure(
    "F12",
    "wrong-vcpu",
    "always",
    Claim(_of_another_vcpu),
    what="The host writes one vCPU's payload into memory of another vCPU.",
    why="The clock or steal counter of another CPU looks plausible but is wrong.",
    example="vCPU 1 registers the address that vCPU 0 has registered.",
    seen="No shipped instance is known here. Xen lets any vCPU register for any other (public/vcpu.h); PAPR allows it "
    "and calls it problematic (Linux arch/powerpc/platforms/pseries/lpar.c).",
    premise=_one_of_several_vcpus_is_served,
)
OVERLAP = Failure(
    "F17",
    "overlapping-areas",
    "always",
    Claim(_overlapping),
    what="Two areas that the host writes share bytes, or an area overlaps a descriptor.",
    why="Each update destroys the other payload, or the result that a guest is about to read.",
    example="Steal time and kvmclock registered at one address.",
    seen="Hyper-V overlay pages may be stacked, in an order that is up to the implementation (TLFS 5.2.1); "
    "no KVM register compares its address with another's (Linux 6.12 arch/x86/kvm/x86.c).",
    premise=_two_could_meet,
)
