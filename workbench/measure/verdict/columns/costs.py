"""What one more feature costs: a place to ask at, who serves it, and guest memory beside its area.

Whether a register more or a number more is better is what the list argued about: these columns are not ranked.
"""

from __future__ import annotations

from typing import Any

from workbench.core.contracts import Feature
from workbench.core.outcome import REFUSED
from workbench.measure.design_check.tried import Tried
from workbench.measure.verdict.asked import Asked, Cell, Column

_CAUSES = {"wrmsr": "register", "rdmsr": "register", "hypercall": "hypercall", "mmio": "device", "pio": "port"}


def _places(asked: Asked) -> dict[str, frozenset[tuple[str, Any]]]:
    """Return, for each feature, where its registration leaves the guest: (cause, number or address)."""
    found = {}
    for feature in asked.features:
        tried = Tried(asked.variant, asked.features)
        if not tried.protocol.supports(feature):
            continue
        left = _exits_of(tried, feature)
        if left:
            found[feature.name] = left
    return found


def _exits_of(tried: Tried, feature: Feature) -> frozenset[tuple[str, Any]]:
    left: set[tuple[str, Any]] = set()
    leave = tried.machine.leave

    def watched(cpu: int, step: Any) -> Any:
        left.add((step.cause, step.number))
        return leave(cpu, step)

    tried.machine.leave = watched  # type: ignore[method-assign]
    first = tried.protocol.by_name.get(next(iter(tried.protocol.own_features), ""))
    if first not in (None, feature):  # what the others may need; its exits are not theirs
        tried.register(first, tried.gpa(first))
        tried.enter()
        left.clear()
    answer = tried.register(feature, tried.gpa(feature))
    return frozenset() if answer is REFUSED else frozenset(left)


def _place(asked: Asked) -> Cell:
    places = _places(asked)
    kinds = sorted({_CAUSES.get(cause, cause) for left in places.values() for cause, _ in left})
    command = asked.command("hardware", "--steps 'one access'")
    what = " and ".join(kinds) or "no exit"
    if not places:
        return Cell("nothing", None, "no feature leaves the guest when it is registered", command)
    shared = frozenset.intersection(*places.values())
    told = f"{len(places)} features leave the guest at {len(set(places.values()))} places ({what})"
    if len(places) == 1:
        return Cell(f"? {what}", None, f"{told}; one feature shows no rule", command)
    if shared:
        return Cell("a number", None, f"{told}, the same for all: a feature more is a number more", command)
    return Cell(f"a {kinds[0]}", None, f"{told}, one for each: a feature more is a {kinds[0]} more", command)


def _server(asked: Asked) -> Cell:
    run = asked.run("boot", 2)
    users, kernel = run.counts["user_exits"], run.counts["kernel_exits"]
    by_user = [feature.name for feature in asked.features if feature.served_by == "user"]
    command = asked.command("compare", "--events boot", "--metrics user_exits,kernel_exits", "--vcpus 2")
    told = f"of the exits of a boot of 2 vCPUs {kernel} end in KVM and {users} in the VMM"
    text = "-" if not users + kernel else "VMM" if users and not kernel else "both" if users else "KVM"
    more = f"; the VMM serves {', '.join(by_user)}" if by_user and users else ""
    return Cell(text, None, told + more, command)


def _memory(asked: Asked) -> Cell:
    run = asked.run("boot", 2)
    use, areas = run.guest_memory, sum(run.fates.values())
    extra = use.descriptors // 2
    command = asked.command("compare", "--events boot", "--metrics descriptor_bytes,payload_bytes", "--vcpus 2")
    return Cell(str(extra), extra, f"{use.descriptors} bytes of descriptors beside {areas} areas of 2 vCPUs", command)


COLUMNS = (
    Column("one more", "what one more feature takes in the guest's ABI", "new feature", _place),
    Column("served by", "who serves registrations, and must know one more", "new feature", _server),
    Column("beside", "bytes of guest memory beside the areas, each vCPU", "new feature", _memory),
)
