"""Checks on single operations: refusals, an area across two pages, two vCPUs, any value of any register or call."""

from collections.abc import Iterator
from typing import Any

from workbench.core.contracts import Feature
from workbench.core.memory import PAGE_SIZE
from workbench.core.outcome import REFUSED
from workbench.core.rules.place import by_author
from workbench.core.steps import Hypercall, MmioRead, MmioWrite, PioRead, PioWrite, Rdmsr, Wrmsr
from workbench.measure.design_check.line import FAIL, PASS, SKIP, Line, error_text, keys_text, number_of
from workbench.measure.design_check.tried import VCPUS, Tried, differing
from workbench.measure.variants import Variant

#: No RAM is here.
NOWHERE = 1 << 40
#: Between two pages of low memory, which every machine has.
BOUNDARY = 0x2_0000
#: Values that hostile guests try: flags alone, addresses with flags, ends of pages and of memory, all ones.
VALUES = (
    0, 1, 2, 3, 0xFF, PAGE_SIZE, PAGE_SIZE | 1, BOUNDARY - 8, (BOUNDARY - 8) | 1, BOUNDARY - 1, NOWHERE, NOWHERE | 1,
    (1 << 32) - 1, 1 << 63, (1 << 64) - PAGE_SIZE, (1 << 64) - 1,
)  # fmt: skip
MOST_NUMBERS = 64


def refused_changes_nothing(chosen: Variant, features: tuple[Feature, ...]) -> Line:
    """A registration that is refused must leave the host's entries as they were.

    A registration of several exits is refused by the last of them; of what the others have set, only where areas are
    served is compared.
    """
    what = "a refused call changes nothing"
    wrong, refusals = [], 0
    for feature in _with_memory(chosen, features):
        tried = Tried(chosen, features, booted=True)
        before, exits = tried.entries(), tried.machine.counts["exits"]
        if tried.register(feature, NOWHERE) is not REFUSED:
            continue
        refusals += 1
        changed = differing(before, tried.entries())
        if tried.machine.counts["exits"] > exits + 1:
            changed = [key for key in changed if key.kind == "area"]
        if changed:
            wrong.append(f"{feature.name} at {NOWHERE:#x} is refused, and {keys_text(changed)} changed")
    if wrong:
        return Line(FAIL, what, f"{'; '.join(wrong)}; check first, and yield Set only afterwards")
    if not refusals:
        return Line(SKIP, what, f"no registration at {NOWHERE:#x}, where there is no RAM, was refused")
    return Line(PASS, what, f"{number_of(refusals)}, at {NOWHERE:#x}, where there is no RAM")


def across_two_pages(chosen: Variant, features: tuple[Feature, ...]) -> Line:
    """An area across two pages is refused, or served where the guest put it."""
    what = "an area across two pages"
    wrong, served, refused = [], [], []
    for feature in _with_memory(chosen, features):
        if feature.align >= feature.size:
            continue
        tried = Tried(chosen, features)
        gpa = BOUNDARY - max(feature.align, feature.size // 2 // feature.align * feature.align)
        answer = tried.register(feature, gpa)
        at = getattr(answer, "gpa", gpa)
        if answer is REFUSED:
            refused.append(feature.name)
        elif tried.serves(feature, 0, at) == at:
            served.append(feature.name)
        else:
            wrong.append(feature.name)
    if wrong:
        return Line(FAIL, what, f"{', '.join(wrong)} accepted and not served; return FAULT or an error instead")
    if not served and not refused:
        return Line(SKIP, what, "the ABI of every feature keeps its area within a page")
    told = [f"{word}: {', '.join(names)}" for word, names in (("served", served), ("refused", refused)) if names]
    return Line(PASS, what, "; ".join(told))


def two_vcpus(chosen: Variant, features: tuple[Feature, ...]) -> Line:
    """Each vCPU has areas of its own, and what one revokes the other keeps."""
    what = "two vCPUs"
    wrong, compared = [], 0
    own = [feature for feature in _with_memory(chosen, features) if feature.scope == "vcpu"]
    for feature in own:
        tried = Tried(chosen, features, booted=True)
        first, second = (tried.serves(feature, cpu, tried.gpa(feature, cpu)) for cpu in range(VCPUS))
        if first is None or second is None:
            continue
        compared += 1
        if first == second:
            wrong.append(f"{feature.name} of both is served at {first:#x}: write area(cpu.index, ...)")
        tried.unregister(feature, 1)
        if tried.serves(feature, 0, first) != first:
            wrong.append(f"vCPU 1 revokes {feature.name}, and that of vCPU 0 is no longer served")
    if wrong:
        return Line(FAIL, what, "; ".join(wrong))
    if not compared:
        return Line(SKIP, what, "no feature has an area for each vCPU that the host serves")
    return Line(PASS, what, f"each has its own areas, and keeps them when the other revokes ({number_of(compared)})")


def any_value(chosen: Variant, features: tuple[Feature, ...]) -> Iterator[Line]:
    """No value that a guest can pass may break off a handler."""
    what = "any value"
    tried = Tried(chosen, features, booted=True)
    broken: dict[str, str] = {}
    number = 0
    for step in _steps(tried.protocol, dict(tried.arguments)):
        number += 1
        try:
            tried.one(step, 1)
            tried.enter(1)
        except BaseException as error:
            if not by_author(error):
                raise
            broken.setdefault(error_text(error), f"{step}")
    for text, step in list(broken.items())[:3]:
        yield Line(FAIL, what, f"{step}: {text}")
    if not number:
        yield Line(SKIP, what, "the design claims no register, hypercall or device")
    elif not broken:
        yield Line(PASS, what, f"{number} accesses to what the design claims, with values of hostile guests")


def _steps(protocol: Any, arguments: dict[int, int]) -> Iterator[Any]:
    """Accesses to everything that a design claims, with every value.

    A hypercall passes as many arguments as the design's own guest does: registers always hold something.
    """
    for msr in sorted(protocol.msrs)[:MOST_NUMBERS]:
        for value in VALUES:
            yield Wrmsr(msr, value)
            yield Rdmsr(msr)
    for call in sorted(protocol.hypercalls)[:MOST_NUMBERS]:
        count = arguments.get(call, 4)
        for value in VALUES:
            yield from (Hypercall(call, (first, *(value,) * (count - 1))[:count]) for first in (*range(4), value))
    for own in protocol.mmio[:MOST_NUMBERS]:
        for size in (one for one in (1, 2, 4, 8) if one <= own.size):
            yield MmioRead(own.start, size)
            yield from (MmioWrite(own.start, value, size) for value in VALUES if value < 1 << 8 * size)
    for own in protocol.ports[:MOST_NUMBERS]:
        for size in (one for one in (1, 2, 4) if one <= own.size):
            yield PioRead(own.start, size)
            yield from (PioWrite(own.start, value, size) for value in VALUES if value < 1 << 8 * size)


def _with_memory(chosen: Variant, features: tuple[Feature, ...]) -> tuple[Feature, ...]:
    protocol = chosen.protocol(features)
    return tuple(feature for feature in features if protocol.supports(feature) and not feature.is_value)
