"""A model of registration by one MSR per feature: V vCPUs write F MSRs each; the host's state is the MSR.

The same lifecycle events as in `generic`, without the descriptor; a migration transfers the registration,
because it is an architected register. An abstraction of what KVM does; V=2, F=2 has 192,290 states.
"""

from __future__ import annotations

from functools import partial

from benchmarks.models.generic import free_if_shared, vcpu_symmetry
from workbench.engines.explore import Model, Property, Rule, View

ALLOCATE, READY, RUN = range(3)
FREE, SHARED, UNPLUGGED = range(3)


def per_feature(vcpus: int, features: int) -> Model:
    """Return the model for `vcpus` and `features`, with all lifecycle events and all properties."""
    variables: dict = {}
    rules: list[Rule] = []
    for cpu in range(vcpus):
        variables["pc", cpu] = variables["cur", cpu] = 0
        for fn in (_allocate, _wrmsr, _wrmsr_refused):
            rules.append(Rule(f"{fn.__name__[1:]} {cpu}", partial(fn, cpu=cpu, features=features)))
        for feature in range(features):
            for name in ("believes", "msr", "page", "data"):
                variables[name, cpu, feature] = 0
            for fn in (_disable, _free, _payload, _unplug):
                rules.append(Rule(f"{fn.__name__[1:]} {cpu} {feature}", partial(fn, cpu=cpu, feature=feature)))
    variables |= dict.fromkeys(("kexec", "migrated", "unplugged", "corrupt"), 0)
    rules += [Rule("kexec", partial(_kexec, vcpus=vcpus, features=features)), Rule("migrate", _migrate)]
    return Model(
        variables,
        rules,
        properties=_properties(vcpus, features),
        ending=lambda view: True,
        symmetry=[vcpu_symmetry(vcpus)],
    )


def _next_feature(view: View, cpu: int, features: int) -> None:
    more = view["cur", cpu] + 1 < features
    view["pc", cpu] = ALLOCATE if more else RUN
    view["cur", cpu] = view["cur", cpu] + 1 if more else 0


def _allocate(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != ALLOCATE:
        return False
    feature = view["cur", cpu]
    if view["page", cpu, feature] == UNPLUGGED:
        _next_feature(view, cpu, features)
        return None
    view["page", cpu, feature] = SHARED
    view["data", cpu, feature] = 0
    view["pc", cpu] = READY
    return None


def _wrmsr(view: View, cpu: int, features: int) -> bool | None:
    if view["pc", cpu] != READY:
        return False
    feature = view["cur", cpu]
    view["msr", cpu, feature] = 1
    view["believes", cpu, feature] = 1
    _next_feature(view, cpu, features)
    return None


def _wrmsr_refused(view: View, cpu: int, features: int) -> bool | None:
    """After a migration the host may not know the MSR; the guest sees the fault and does not use the feature."""
    if view["pc", cpu] != READY or not view["migrated"]:
        return False
    view["believes", cpu, view["cur", cpu]] = 0
    _next_feature(view, cpu, features)
    return None


def _disable(view: View, cpu: int, feature: int) -> bool | None:
    if view["pc", cpu] != RUN or not view["believes", cpu, feature]:
        return False
    view["believes", cpu, feature] = 0
    view["msr", cpu, feature] = 0
    return None


def _free(view: View, cpu: int, feature: int) -> bool | None:
    if view["pc", cpu] != RUN or view["believes", cpu, feature] or view["page", cpu, feature] != SHARED:
        return False
    view["page", cpu, feature] = FREE
    return None


def _payload(view: View, cpu: int, feature: int) -> bool | None:
    if not view["msr", cpu, feature]:
        return False
    if view["page", cpu, feature] == SHARED:
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
    if view["kexec"]:
        return False
    view["kexec"] = 1
    for cpu in range(vcpus):
        view["pc", cpu] = view["cur", cpu] = 0
        for feature in range(features):
            view["believes", cpu, feature] = view["data", cpu, feature] = 0
            view.part(free_if_shared, cpu, feature)
    return None


def _migrate(view: View) -> bool | None:
    if view["migrated"]:
        return False
    view["migrated"] = 1
    return None


def _properties(vcpus: int, features: int) -> list[Property]:
    areas = [(cpu, feature) for cpu in range(vcpus) for feature in range(features)]

    def lost(view: View) -> bool:
        return any(view["believes", cpu, feature] and not view["msr", cpu, feature] for cpu, feature in areas)

    return [
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
            lambda view: not lost(view),
        ),
        Property("ANY", "none of the above", "always", lambda view: not (view["corrupt"] or lost(view))),
        Property(
            "DONE",
            "some vCPU gets all its areas",
            "sometimes",
            lambda view: any(all(view["msr", cpu, feature] for feature in range(features)) for cpu in range(vcpus)),
        ),
    ]
