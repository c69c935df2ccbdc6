"""What each operation means for a comparison: which payloads it may change, and how its answers are compared.

One entry for an operation; one without an entry changes no payload, and both hosts must answer it alike.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from workbench.core.outcome import HANDLED
from workbench.fuzz.palette import APF_EN
from workbench.fuzz.payload import Payloads
from workbench.fuzz.runners import Observed

Served = frozenset[tuple[str, int]]


class Effect(NamedTuple):
    """``follow`` takes payloads, arguments, the (equal) answer, and the areas that the simulator's host serves.

    ``enters``: the vCPU enters the guest, so deliveries that were due have arrived. ``disturbs`` takes the arguments
    and tells whether it changes what a vCPU has requested and not got, whatever the answer.
    """

    follow: Callable[[Payloads, Mapping[str, Any], Observed, Served], None] | None = None
    enters: bool = False
    disturbs: Callable[[Mapping[str, Any]], bool] = lambda arguments: False


def _wrmsr(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    if observed["outcome"] is HANDLED:
        payloads.registered(**arguments, by_host=False)


def _host_set_msr(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    if observed["accepted"]:
        payloads.registered(**arguments, by_host=True)


def _host_set_msrs(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    for msr, value in arguments["entries"][: observed["processed"]]:
        payloads.registered(arguments["cpu"], msr, value, by_host=True)


def _store(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    if observed["outcome"] is HANDLED:
        payloads.stored(arguments["gpa"], arguments["hex"], served)


def _ram(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    payloads.appeared(arguments["gpa"], arguments["size"], served)
    payloads.protected(arguments["gpa"], arguments["readonly"])


def _kvmclock_ctrl(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    if observed["accepted"]:
        payloads.clock_due(served, arguments["cpu"])


def _set_clock(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    payloads.clock_due(served)
    payloads.clock.was_set(arguments["realtime"])


def _migrate(payloads: Payloads, arguments: Mapping[str, Any], observed: Observed, served: Served) -> None:
    payloads.clocks_restored()
    payloads.clock.is_running = True


def _always(arguments: Mapping[str, Any]) -> bool:
    return True


def _writes_async_pf(arguments: Mapping[str, Any]) -> bool:
    return any(msr == APF_EN for msr, _ in arguments["entries"])


EFFECTS: Mapping[str, Effect] = {
    "run": Effect(enters=True),
    "rdmsr": Effect(enters=True),
    "wrmsr": Effect(_wrmsr, enters=True),
    "host_set_msr": Effect(_host_set_msr, disturbs=lambda arguments: arguments["msr"] == APF_EN),
    "host_set_msrs": Effect(_host_set_msrs, disturbs=_writes_async_pf),
    "cpuid": Effect(lambda payloads, arguments, observed, served: payloads.cpuid(**arguments)),
    "set_clock": Effect(_set_clock),
    "kvmclock_ctrl": Effect(_kvmclock_ctrl),
    "store": Effect(_store),
    "ram": Effect(_ram),
    "unplug": Effect(
        lambda payloads, arguments, observed, served: payloads.disappeared(arguments["gpa"]), disturbs=_always
    ),
    "protect": Effect(
        lambda payloads, arguments, observed, served: payloads.protected(**arguments), disturbs=_always
    ),
    "snapshot": Effect(lambda payloads, arguments, observed, served: payloads.snapshot(), disturbs=_always),
    "reset_in_place": Effect(lambda payloads, arguments, observed, served: payloads.restored(), disturbs=_always),
    "reset": Effect(lambda payloads, arguments, observed, served: payloads.reset(), disturbs=_always),
    "init": Effect(
        lambda payloads, arguments, observed, served: payloads.tokens.disabled(arguments["cpu"], by_init=True),
        disturbs=_always,
    ),
    "migrate": Effect(_migrate, disturbs=_always),
}
NONE = Effect()
