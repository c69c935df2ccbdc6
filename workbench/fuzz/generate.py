"""Generates sequences of replay operations: random ones, and scenarios that test a property of the registers.

The rules kept here: ``sequence(seed, number, length)`` is a pure function, the same on every machine; every sequence is
a valid replay (memslots do not overlap, CPUID bits are chosen once and before the vCPU has run, no INIT without
a LAPIC); it begins with ``machine`` and ends with a load of every memslot that is left.
"""

from functools import cache
from random import Random
from typing import Any, NamedTuple

from workbench.core.vcpu import KVM_SUPPORTED
from workbench.fuzz import scenarios, vmm_scenarios
from workbench.fuzz.palette import GATING_BITS, SLOTS, pick
from workbench.fuzz.script import VCPUS, Script
from workbench.replay.grammar import Operation, complete

#: Written to every state file: a campaign with sequences of another generator cannot be continued.
GENERATOR = 8
_OFFERS = 6

#: The scenarios, and the relative frequency of each.
_PHRASES = (
    (scenarios.anything, 40),
    (scenarios.burst_of_host_accesses, 12),
    (scenarios.register_and_look, 12),
    (scenarios.crossing, 5),
    (scenarios.second_name, 4),
    (scenarios.memory_goes_and_returns, 4),
    (scenarios.same_place, 4),
    (scenarios.init, 3),
    (scenarios.refused, 4),
    (scenarios.wake_all, 5),
    (scenarios.stamp, 5),
    (scenarios.enforcement, 3),
    (scenarios.migration, 2),
    (scenarios.stopped, 2),
    (scenarios.refused_then_memslots_change, 3),
    *vmm_scenarios.PHRASES,
)
_CHOICES = tuple(phrase for phrase, weight in _PHRASES for _ in range(weight))


class Options(NamedTuple):
    """Operations that a campaign leaves out because this kernel is known to differ there."""

    enforcement: bool = True


class Sequence(NamedTuple):
    """The operations of one sequence, and the CPUID bits that each vCPU has by its end."""

    operations: tuple[Operation, ...]
    offers: tuple[frozenset[int], ...]


@cache
def offers(seed: int) -> tuple[tuple[frozenset[int], ...], ...]:
    """Return the CPUID offers of a campaign, one set of bits for each vCPU; the first is what KVM offers.

    They are few, because a used VM can run only sequences with its own CPUID bits.
    """
    rng = Random(f"offers {seed}")
    rest = KVM_SUPPORTED - set(GATING_BITS)

    def some() -> frozenset[int]:
        return rest | {bit for bit in GATING_BITS if rng.random() < 0.6}

    return ((KVM_SUPPORTED,) * VCPUS, *(tuple(some() for _ in range(VCPUS)) for _ in range(_OFFERS)))


def sequence(seed: int, number: int, length: int, options: Options = Options()) -> Sequence:  # noqa: B008 - immutable
    """Return sequence ``number`` of the campaign ``seed``: exactly ``length`` operations (at least 10)."""
    rng = Random(f"{seed} {number}")
    offer = pick(rng, offers(seed)) if options.enforcement and rng.random() < 0.45 else offers(seed)[0]
    script = Script(rng, irqchip=rng.random() < 0.9, offer=offer, enforcement=options.enforcement)
    _introduce(script)
    while len(script.operations) < length:
        pick(rng, _CHOICES)(script)
    ended = _ended(script.operations, length)
    return Sequence(tuple(complete(line, *each) for line, each in enumerate(ended, 1)), offer)


def _introduce(script: Script) -> None:
    """Set CPUID, sometimes with registrations by the host before it; none of the vCPUs has run."""
    for cpu, features in enumerate(script.offer):
        if features == KVM_SUPPORTED and script.rng.random() < 0.8:
            continue
        script.cpu = cpu
        if script.rng.random() < 0.2:
            scenarios.burst_of_host_accesses(script)
        script.enforce(script.rng.random() < 0.8)


def _ended(operations: list[tuple[str, dict[str, Any]]], length: int) -> list[tuple[str, dict[str, Any]]]:
    """Cut to ``length``, and end with a load of each memslot that is left."""
    kept = operations[: length - len(SLOTS)]
    there = []
    for op, arguments in kept:
        if op == "ram":
            there.append((arguments["gpa"], arguments["size"]))
        elif op == "unplug":
            there = [slot for slot in there if slot[0] != arguments["gpa"]]
    loads = [("load", {"gpa": gpa, "size": size}) for gpa, size in there]
    return [*kept, *([("run", {"cpu": 0})] * (len(SLOTS) - len(loads))), *loads]
