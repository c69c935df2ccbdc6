"""A model of the generic registration of shared memory: V vCPUs register F areas each through descriptors.

A vCPU fills its descriptor and calls the host; the host fetches it in two steps, registers the area and writes
the result back. Meanwhile one kexec, one migration, one unplug and one hostile change of a descriptor may
happen, and the host writes payloads into the registered areas. An abstraction of the generic call that was
proposed to the kvm mailing list in January 2011; the numbers of states (V=2, F=1: 48,301) are the ones that
SPIN counts for the same rules.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from workbench.engines.explore import Model, Property, Rule, Symmetry, View

FILL, READY, FETCHED_BASE, FETCHED_TYPE, ANSWERED, RUN = range(6)
PENDING, ACCEPTED, REFUSED = 1, 2, 3
FREE, SHARED, UNPLUGGED = range(3)
OWN_BASE, HOSTILE_BASE = 1, 2


def generic(vcpus: int, features: int) -> Model:
    """Return the model for `vcpus` and `features`, with all lifecycle events and all properties."""
    variables: dict = {}
    rules: list[Rule] = []
    for cpu in range(vcpus):
        for name in ("pc", "cur", "base", "type", "result", "host_base", "host_type", "written"):
            variables[name, cpu] = 0
        for feature in range(features):
            for name in ("believes", "host", "page", "data"):
                variables[name, cpu, feature] = 0
        rules += _guest_rules(cpu, vcpus, features)
    variables |= dict.fromkeys(("kexec", "migrated", "unplugged", "scribbled", "corrupt", "stale"), 0)
    rules += [
        Rule("kexec", partial(_kexec, vcpus=vcpus, features=features)),
        Rule("migrate", partial(_migrate, vcpus=vcpus, features=features)),
    ]
    return Model(
        variables,
        rules,
        properties=_properties(vcpus, features),
        ending=_never_stuck,
        symmetry=[vcpu_symmetry(vcpus)],
    )


def vcpu_symmetry(vcpus: int) -> Symmetry:
    """Declare vCPUs interchangeable: the number of the vCPU is the second part of a variable's name."""

    def variable(name: Any, mapping: Any) -> Any:
        return (name[0], mapping[name[1]], *name[2:]) if isinstance(name, tuple) else name

    return Symmetry(tuple(range(vcpus)), variable)


def _never_stuck(view: View) -> bool:
    return True


def _guest_rules(cpu: int, vcpus: int, features: int) -> list[Rule]:
    rules = [
        ("fill", _fill),
        ("fetch base", _fetch_base),
        ("fetch type", _fetch_type),
        ("answer", _answer),
        ("write lost", _write_lost),
        ("look at result", _look),
    ]
    made = [Rule(f"{name} {cpu}", partial(fn, cpu=cpu, features=features)) for name, fn in rules]
    made.append(Rule(f"scribble {cpu}", partial(_scribble, cpu=cpu, vcpus=vcpus)))
    for feature in range(features):
        for name, fn in (
            ("unregister", _unregister),
            ("free", _free),
            ("payload", _payload),
            ("unplug", _unplug),
        ):
            made.append(Rule(f"{name} {cpu} {feature}", partial(fn, cpu=cpu, feature=feature)))
    return made


def _next_feature(view: View, cpu: int, features: int) -> None:
    if view["cur", cpu] + 1 < features:
        view["cur", cpu] += 1
        view["pc", cpu] = FILL
    else:
        view["cur", cpu] = 0
        view["pc", cpu] = RUN


def _fill(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != FILL:
        return False
    feature = view["cur", cpu]
    if view["page", cpu, feature] == UNPLUGGED:
        _next_feature(view, cpu, features)
        return None
    view["base", cpu] = OWN_BASE
    view["type", cpu] = feature
    view["result", cpu] = PENDING
    view["page", cpu, feature] = SHARED
    view["data", cpu, feature] = 0
    view["written", cpu] = 0
    view["pc", cpu] = READY
    return None


def _fetch_base(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != READY:
        return False
    view["host_base", cpu] = view["base", cpu]
    view["pc", cpu] = FETCHED_BASE
    return None


def _fetch_type(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != FETCHED_BASE:
        return False
    view["host_type", cpu] = view["type", cpu]
    view["pc", cpu] = FETCHED_TYPE
    return None


def _answer(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != FETCHED_TYPE:
        return False
    if view["host_base", cpu] == OWN_BASE:
        view["host", cpu, view["host_type", cpu]] = OWN_BASE
        view["result", cpu] = ACCEPTED
    else:
        view["result", cpu] = REFUSED
    view["written", cpu] = 1
    view["host_base", cpu] = view["host_type", cpu] = 0
    view["pc", cpu] = ANSWERED
    return None


def _write_lost(view: View, cpu: int, features: int) -> bool | None:
    """The destination of a migration does not know the MSR and ignores the write."""
    if view["pc", cpu] != READY or not view["migrated"]:
        return False
    view["pc", cpu] = ANSWERED
    return None


def _look(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != ANSWERED:
        return False
    feature = view["cur", cpu]
    if view["result", cpu] == ACCEPTED:
        view["believes", cpu, feature] = 1
        if not view["written", cpu]:
            view["stale"] = 1
    else:
        view["believes", cpu, feature] = 0
    view["written", cpu] = 0
    _next_feature(view, cpu, features)
    return None


def _in_guest(pc: int) -> bool:
    return pc in (FILL, RUN)


def _in_host(pc: int) -> bool:
    return pc in (FETCHED_BASE, FETCHED_TYPE)


def _descriptor_exposed(pc: int) -> bool:
    return READY <= pc <= FETCHED_TYPE


def _scribble(view: View, cpu: int, vcpus: int) -> bool | None:
    if view["scribbled"] or not view.ask(("pc", cpu), _descriptor_exposed):
        return False
    if not any(view.ask(("pc", other), _in_guest) for other in range(vcpus) if other != cpu):
        return False
    view["base", cpu] = HOSTILE_BASE
    view["scribbled"] = 1
    return None


def _unregister(view: View, cpu: int, feature: int) -> bool | None:
    if view["pc", cpu] != RUN or not view["believes", cpu, feature]:
        return False
    view["believes", cpu, feature] = 0
    view["host", cpu, feature] = 0
    return None


def _free(view: View, cpu: int, feature: int) -> bool | None:
    if view["pc", cpu] != RUN or view["believes", cpu, feature] or view["page", cpu, feature] != SHARED:
        return False
    view["page", cpu, feature] = FREE
    return None


def _payload(view: View, cpu: int, feature: int) -> bool | None:
    host = view["host", cpu, feature]
    if not host:
        return False
    if host == OWN_BASE and view["page", cpu, feature] == SHARED:
        view["data", cpu, feature] = 1
    else:
        view["corrupt"] = 1
    return None


def _unplug(view: View, cpu: int, feature: int) -> bool | None:
    if view["unplugged"] or view["page", cpu, feature] != SHARED:
        return False
    view["page", cpu, feature] = UNPLUGGED
    view["unplugged"] = 1
    return None


def _kexec(view: View, vcpus: int, features: int) -> bool | None:
    if view["kexec"] or any(view.ask(("pc", cpu), _in_host) for cpu in range(vcpus)):
        return False
    view["kexec"] = 1
    for cpu in range(vcpus):
        for name in ("pc", "cur", "base", "type", "result", "written"):
            view[name, cpu] = 0
        for feature in range(features):
            view["believes", cpu, feature] = view["data", cpu, feature] = 0
            view.part(free_if_shared, cpu, feature)
    return None


def free_if_shared(view: View, cpu: int, feature: int) -> None:
    """The new kernel reuses every page that was shared."""
    if view["page", cpu, feature] == SHARED:
        view["page", cpu, feature] = FREE


def _migrate(view: View, vcpus: int, features: int) -> bool | None:
    if view["migrated"]:
        return False
    view["migrated"] = 1
    for cpu in range(vcpus):
        view.part(_interrupt_host, cpu)
        for feature in range(features):
            view["host", cpu, feature] = 0
    return None


def _interrupt_host(view: View, cpu: int) -> None:
    if view.ask(("pc", cpu), _in_host):
        view["pc", cpu] = READY
        view["host_base", cpu] = view["host_type", cpu] = 0


def _properties(vcpus: int, features: int) -> list[Property]:
    areas = [(cpu, feature) for cpu in range(vcpus) for feature in range(features)]

    def lost(view: View, cpu: int, feature: int) -> bool:
        return bool(view["believes", cpu, feature]) and view["host", cpu, feature] != OWN_BASE

    def any_violated(view: View) -> bool:
        return bool(view["stale"] or view["corrupt"] or any(lost(view, *area) for area in areas))

    return [
        Property("STALE", "a result nobody wrote is taken for success", "always", lambda view: not view["stale"]),
        Property(
            "CORRUPT",
            "the host writes to memory it was not given",
            "always",
            lambda view: not view["corrupt"],
        ),
        Property(
            "LOST",
            "the guest believes in an area the host does not hold",
            "always",
            lambda view: not any(lost(view, *area) for area in areas),
        ),
        Property("ANY", "none of the above", "always", lambda view: not any_violated(view)),
        Property(
            "DONE",
            "some vCPU gets all its areas",
            "sometimes",
            lambda view: any(all(view["host", cpu, feature] for feature in range(features)) for cpu in range(vcpus)),
        ),
    ]
