"""A replay file as steps: operations, their answers, registers and areas after each; simulated or on a real KVM."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from workbench.clayout.layout import Abi
from workbench.core.replay_target import Engine, Target
from workbench.core.slots import vcpu_slot
from workbench.core.steps import GUEST, KERNEL, USER
from workbench.errors import WorkbenchError
from workbench.measure.exploration.explore import TraceRow
from workbench.measure.exploration.items import HOST, Item, Structure, changes_of, in_memory
from workbench.measure.exploration.recording import Recording
from workbench.present.text.register_writes import FEATURE_OF, REGISTERS
from workbench.present.web.stepper import stepper
from workbench.present.web.view import View
from workbench.replay import Operation, ReplayFile, Result, play
from workbench.replay.report import describe, mismatches, seen
from workbench.replay.runner import ProtocolOf

#: Who takes an operation; the VMM takes all others.
_GUESTS = ("store", "load", "wrmsr", "rdmsr", "hypercall")
_SIDES = {**dict.fromkeys(_GUESTS, GUEST), **dict.fromkeys(("run", "init"), KERNEL)}
_WRITES = ("wrmsr", "host_set_msr")
_NAMES = {number: name for name, number in reversed(REGISTERS.items())}


def replayed(file: ReplayFile, engine: Engine, protocol_of: ProtocolOf, kind: str) -> View:
    """Return the view of one file; ``kind`` names the engine: "simulated", "on a real KVM".

    Raises WorkbenchError, with file and line, for an operation that the engine cannot carry out.
    """
    shown = _structures(file.operations)
    registers = sorted({one.arguments["msr"] for one in file.operations if "msr" in one.arguments})
    cpus = sorted({one.arguments.get("cpu", 0) for one in file.operations})
    states: list[dict[Item, str]] = [{}]
    results = list(
        play([file], engine, protocol_of, watch=lambda target: states.append(_state(target, shown, registers, cpus)))
    )
    rows = [
        TraceRow(vcpu_slot(one.arguments.get("cpu", 0)), (_SIDES.get(one.op, USER), one.op)) for one in file.operations
    ]
    start, changes = changes_of(states, shown)
    texts = tuple(_text(result) for result in results)
    recording = Recording(f"{file.name}, {kind}", "", tuple(rows), start, changes, texts=texts)
    return stepper(recording, **_judged(results))


def _text(result: Result) -> str:
    answers = [f"{key} {seen(result.observed, key)}" for key in result.observed]
    said = describe(result.operation) + (f" -> {', '.join(answers)}" if answers else "")
    return said if result.ok else f"{said}: NOT AS EXPECTED"


def _judged(results: Sequence[Result]) -> dict[str, Any]:
    """Return what the view says at the end: the expectations that were not met, and the first operation of them."""
    wrong = [number for number, result in enumerate(results, 1) if not result.ok]
    if not wrong:
        return {"ends": "Every expectation of the file was met."}
    sentences = [line for result in results for line in mismatches(result)]
    failure = {"title": "not as expected", "what": "The file expects another answer than this engine gives."}
    return {"since": wrong[0], "sentences": sentences, "failure": failure}


def _structures(operations: Sequence[Operation]) -> list[Structure]:
    """Return the areas at the addresses that the file writes to registers."""
    found: dict[int, Structure] = {}
    for one in operations:
        feature = FEATURE_OF.get(one.arguments["msr"]) if one.op in _WRITES else None
        if feature is None or not feature.size:
            continue
        gpa = one.arguments["value"] // feature.align * feature.align
        found.setdefault(gpa, Structure(gpa, feature.payload.on(Abi.X86_64), f"{feature.name}"))
    return [found[gpa] for gpa in sorted(found) if gpa]


def _state(
    target: Target, shown: Sequence[Structure], registers: Sequence[int], cpus: Sequence[int]
) -> dict[Item, str]:
    found = in_memory(shown, target.load)
    for cpu in cpus:
        for msr in registers:
            try:
                value = target.host_get_msr(cpu, msr)
            except WorkbenchError:
                continue  # a vCPU that this machine does not have
            if value is not None:
                found[Item(HOST, "", f"{_NAMES.get(msr, hex(msr))} of vCPU {cpu}")] = hex(value)
    return found


__all__ = ["replayed"]
