"""Operations on the clock of the VM."""

from collections.abc import Mapping
from typing import Any

from workbench.core.replay_target import Target
from workbench.replay import values
from workbench.replay.form import CPU, Field, Form


def _get_clock(target: Target) -> Mapping[str, Any]:
    clock = target.get_clock()
    return {"ns": clock.ns, "realtime": clock.realtime is not None}


FORMS: Mapping[str, Form] = {
    "kvmclock_ctrl": Form({"cpu": CPU}, lambda target, cpu: {"accepted": target.kvmclock_ctrl(cpu)}, ("accepted",)),
    "set_clock": Form(
        {"ns": Field(values.u64), "realtime": Field(values.moment, False)},
        lambda target, ns, realtime: target.set_clock(ns, realtime),
    ),
    "get_clock": Form({}, _get_clock, ("at_least", "at_most", "realtime")),
}
