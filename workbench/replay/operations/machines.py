"""Operations on the machine and its vCPUs."""

from collections.abc import Mapping
from typing import Any

from workbench.core.replay_target import Target
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.errors import WorkbenchError
from workbench.replay import values
from workbench.replay.form import CPU, Field, Form

#: The default of ``protocol``: the protocol chosen on the command line.
CHOSEN = None


def _machine(target: Target, **arguments: Any) -> None:
    raise AssertionError("the player of a file opens a new machine itself")


def _hypercall(target: Target, cpu: int, number: int, args: tuple[int, ...]) -> Mapping[str, Any]:
    try:
        value, *more = target.hypercall(cpu, number, args)
    except (ValueError, IndexError):  # a handler takes apart what its ABI passes
        raise WorkbenchError(f"hypercall {number} does not take {len(args)} arguments in this protocol") from None
    return {"value": value, "values": (value, *more)}


FORMS: Mapping[str, Form] = {
    "machine": Form(
        {
            "vcpus": Field(values.vcpu_count, 1),
            "irqchip": Field(values.boolean, True),
            "protocol": Field(values.text, CHOSEN),
        },
        _machine,
        follow=lambda layout, arguments: layout.begin(arguments["vcpus"]),
    ),
    "cpuid": Form(
        {"cpu": CPU, "enforce": Field(values.boolean, False), "features": Field(values.bits, KVM_SUPPORTED)},
        lambda target, cpu, enforce, features: target.set_cpuid(cpu, features, enforce),
    ),
    "run": Form({"cpu": CPU}, lambda target, cpu: target.run(cpu)),
    "init": Form({"cpu": CPU}, lambda target, cpu: target.init(cpu)),
    "hypercall": Form(
        {"cpu": CPU, "number": Field(values.u64), "args": Field(values.call_arguments, ())},
        _hypercall,
        ("value", "values"),
    ),
    "reset": Form({}, lambda target: target.system_reset()),
    "snapshot": Form({}, lambda target: target.snapshot()),
    "reset_in_place": Form({}, lambda target: target.reset_in_place()),
}
