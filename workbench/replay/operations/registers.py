"""Operations on registers, by the guest and by its VMM."""

from collections.abc import Mapping
from typing import Any

from workbench.core.msr_filter import NO_FILTER, MsrFilter
from workbench.core.replay_target import Target
from workbench.errors import WorkbenchError
from workbench.replay import values
from workbench.replay.form import CPU, MSR, VALUE, Field, Form
from workbench.replay.layout import Layout
from workbench.replay.values import NotAllowedError


def _rdmsr(target: Target, cpu: int, msr: int) -> Mapping[str, Any]:
    outcome, value = target.rdmsr(cpu, msr)
    return {"outcome": outcome} if value is None else {"outcome": outcome, "value": value}


def _host_get_msr(target: Target, cpu: int, msr: int) -> Mapping[str, Any]:
    value = target.host_get_msr(cpu, msr)
    return {"accepted": False} if value is None else {"accepted": True, "value": value}


def _host_get_msrs(target: Target, cpu: int, registers: tuple[int, ...]) -> Mapping[str, Any]:
    found = target.host_get_msrs(cpu, registers)
    return {"processed": len(found), "values": found}


def _filter(allow: tuple[int, ...] | None, deny: tuple[int, ...] | None) -> MsrFilter:
    if allow is None:
        return NO_FILTER if deny is None else MsrFilter(True, frozenset(deny))
    return MsrFilter(False, frozenset(allow))


def _check_filter(layout: Layout, arguments: Mapping[str, Any]) -> None:
    if arguments["allow"] is not None and arguments["deny"] is not None:
        raise NotAllowedError("allow and deny exclude each other; allowed: one of them, or none for no filter")
    try:
        _filter(**arguments).ranges()
    except WorkbenchError as error:
        raise error.within("", NotAllowedError) from None


FORMS: Mapping[str, Form] = {
    "wrmsr": Form(
        {"cpu": CPU, "msr": MSR, "value": VALUE},
        lambda target, cpu, msr, value: {"outcome": target.wrmsr(cpu, msr, value)},
        ("outcome",),
    ),
    "rdmsr": Form({"cpu": CPU, "msr": MSR}, _rdmsr, ("outcome", "value")),
    "host_set_msr": Form(
        {"cpu": CPU, "msr": MSR, "value": VALUE},
        lambda target, cpu, msr, value: {"accepted": target.host_set_msr(cpu, msr, value)},
        ("accepted",),
    ),
    "host_get_msr": Form({"cpu": CPU, "msr": MSR}, _host_get_msr, ("accepted", "value")),
    "host_set_msrs": Form(
        {"cpu": CPU, "entries": Field(values.entries)},
        lambda target, cpu, entries: {"processed": target.host_set_msrs(cpu, entries)},
        ("processed",),
    ),
    "host_get_msrs": Form({"cpu": CPU, "registers": Field(values.registers)}, _host_get_msrs, ("processed", "values")),
    "msr_filter": Form(
        {"allow": Field(values.registers, None), "deny": Field(values.registers, None)},
        lambda target, allow, deny: target.filter_msrs(_filter(allow, deny)),
        follow=_check_filter,
    ),
}
