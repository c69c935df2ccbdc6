"""Measured data: what a real KVM did, one file for each host, with its provenance; kept apart from all simulation.

Files are JSON in ``data/measured/``, named after kernel and vendor module. They hold fates and counts of every event,
the handling of register values, when payloads are written, and what steps cost, each with the line that says which
KVM it was. Costs of a host that emulates guest kernel code are labelled as such and never become a cost model.
"""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import workbench
from workbench.clayout.layout import Abi
from workbench.engines.kvm import survey, timing
from workbench.engines.kvm.engine import this_host
from workbench.engines.kvm.probe import Probe
from workbench.errors import WorkbenchError
from workbench.features import FEATURES
from workbench.measure.comparison.cost import CostModel
from workbench.measure.on_kvm import validation
from workbench.measure.on_kvm.kvm_agreement import version
from workbench.measure.on_kvm.runs import Measurement, measurements, require_kvm
from workbench.measure.on_kvm.validation import Validation
from workbench.paths import DATA
from workbench.reading import read_json

FOLDER = DATA / "measured"
FORMAT = 1
PROTOCOLS = ("generic", "generic+carry-registry", "per_feature", "null")
VCPUS = 4

EMULATED = "emulated guest kernel code: not hardware exit costs"
NATIVE = "guest code runs natively"
UNKNOWN = "native or emulated guest code: could not be measured"


@dataclass(frozen=True)
class MeasuredFile:
    """The content of one file of measured data."""

    host: dict[str, Any]  #: line, kernel, module, api_version, emulated, cpu, pv_features, missing
    made: dict[str, str]  #: date, command, workbench, python, load (average of the last minute)
    events: tuple[Measurement, ...]
    validation: tuple[Validation, ...]
    payloads: tuple[survey.Behaviour, ...]
    costs_are: str  #: what the costs represent: EMULATED, NATIVE or UNKNOWN
    tsc_per_ns: float
    costs: tuple[timing.Cost, ...]
    updates: tuple[survey.UpdateCount, ...] = ()  #: empty in files that were written before they were counted

    @property
    def name(self) -> str:
        """The name of the file, without its ending."""
        return f"{self.host['kernel']}-{self.host['module'].replace(' ', '_')}"


def cpu_model() -> str:
    """Return what the host says its CPU is."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def record(
    command: str, say: Callable[[str], None], release: str | None = None, *, with_costs: bool = True
) -> MeasuredFile:
    """Measure everything on this host, which takes some seconds. ``release`` is recorded instead of the kernel's own.

    ``say`` is called with progress messages. Raises EngineError with reason and advice if there is no KVM.
    """
    require_kvm()
    host = this_host() if release is None else replace(this_host(), kernel=release)
    events = measurements(PROTOCOLS, vcpus=VCPUS, say=say)
    say("kvm: register values")
    values = tuple(validation.measured(one) for one in survey.verdicts())
    behaviours = tuple(survey.behaviours())
    counts = tuple(update_counts())
    found = []
    for cost in timing.costs() if with_costs else ():
        say(f"kvm: timed {cost.what}")
        found.append(cost)
    made = {
        "date": datetime.now(UTC).date().isoformat(),
        "command": command,
        "workbench": workbench.__version__,
        "python": platform.python_version(),
        "load": f"{os.getloadavg()[0]:.1f} on {os.cpu_count()} CPUs",
    }
    label = {True: EMULATED, False: NATIVE, None: UNKNOWN}[host.emulated]
    return MeasuredFile(
        _host(host),
        made,
        events,
        values,
        behaviours,
        label,
        round(timing.tsc_per_ns(), 4),
        tuple(map(_rounded, found)),
        counts,
    )


def update_counts() -> Iterator[survey.UpdateCount]:
    """Count the updates of each payload that has a version and a register of KVM's own, on this host's KVM."""
    for feature in FEATURES.values():
        if feature.compared is not None and feature.compared.version is not None:
            at = feature.payload.on(Abi.X86_64).offset_of(feature.compared.version)
            yield from survey.update_counts(feature.registers[0], at)


def _host(host: Probe) -> dict[str, Any]:
    return {
        "line": host.line,
        "kernel": host.kernel,
        "module": host.module,
        "api_version": host.api_version,
        "emulated": host.emulated,
        "cpu": cpu_model(),
        "pv_features": f"{host.pv_features:#x}",
        "missing": list(host.missing),
    }


def _rounded(cost: timing.Cost) -> timing.Cost:
    share = None if cost.user_share is None else round(cost.user_share, 3)
    numbers = {name: round(getattr(cost, name), 2) for name in ("median_ns", "lower_ns", "upper_ns")}
    return cost._replace(user_share=share, **numbers)


def live_or_recorded(say: Callable[[str], None] = lambda what: None) -> tuple[str, MeasuredFile]:
    """Measure fates and counts here if there is a KVM, else take the newest recorded ones; return which, and them.

    Costs are not measured: use :func:`record` on an idle host. The kernel is named by its version numbers alone.
    ``say`` is called with progress messages.
    """
    host = this_host()
    if host.available:
        numbers = ".".join(map(str, version(host.kernel)))
        found = record("live", say, numbers, with_costs=False)
        return f"Measured when this ran, on its host: {found.host['line']}", found
    newest = max(all_measured_files(), key=lambda found: found.made["date"])
    origin = f"Recorded on {newest.made['date']} by {newest.made['command']!r}. {newest.host['line']}"
    return f"{origin}\n(Here: {host.line})", newest


# -- as a cost model ---------------------------------------------------------------------------------------


def why_no_cost_model(found: MeasuredFile) -> str | None:
    """Return why the costs of this host are no cost model, in one line; None if they are."""
    if found.host["emulated"] is False:
        return None
    if found.host["emulated"]:
        return "guest kernel code is emulated here, so none of these is the cost of a hardware exit"
    return "it is unknown whether guest kernel code runs natively here"


def cost_model(found: MeasuredFile) -> CostModel:
    """Return the costs as a cost model; raise WorkbenchError unless the host runs guest code natively."""
    reason = why_no_cost_model(found)
    if reason is not None:
        raise WorkbenchError(f"no cost model of {found.name}: {reason}")
    costs = {cost.what: cost for cost in found.costs}
    kernel = costs["WRMSR STEAL_TIME, served by KVM"]
    user = costs["WRMSR deflected, answered at once"]
    return CostModel(
        name=found.name,
        title="measured on this host",
        kernel_exit_cycles=round(kernel.median_ns * found.tsc_per_ns),
        user_exit_cycles=round(user.median_ns * found.tsc_per_ns),
        memory_access_cycles=None,
        hardware=found.host["cpu"],
        date=found.made["date"],
        source=f"{found.made['command']}; {found.host['line']}",
        confidence=f"medians of {kernel.batches} batches of CPU time; load {found.made['load']}",
        stands_for=(
            "kernel: a WRMSR that KVM serves; user: one that it leaves to a VMM in Python, which spends "
            f"{round(100 * (user.user_share or 0))} % of the CPU time of such an exit"
        ),
    )


# -- files -------------------------------------------------------------------------------------------------


def as_json(found: MeasuredFile) -> str:
    """Return the text of a file: one line for each measurement, so that two files can be compared by lines."""
    parts: dict[str, Any] = {
        "format": FORMAT,
        "host": found.host,
        "made": found.made,
        "costs_are": found.costs_are,
        "costs_unit": "nanoseconds of CPU time of the vCPU's thread",
        "tsc_per_ns": found.tsc_per_ns,
        "costs": [cost._asdict() for cost in found.costs],
        "payloads": [one._asdict() for one in found.payloads],
        "updates": [one._asdict() for one in found.updates],
        "validation": [one._asdict() for one in found.validation],
        "events": [one.as_record() for one in found.events],
    }
    return "{\n" + ",\n".join(f"{json.dumps(key)}: {_value(value)}" for key, value in parts.items()) + "\n}\n"


def _value(value: Any) -> str:
    if not isinstance(value, list):
        return json.dumps(value)
    return "[\n" + ",\n".join(f" {json.dumps(each)}" for each in value) + "\n]"


def load(path: Path) -> MeasuredFile:
    """Return the content of a file of measured data; raise WorkbenchError saying what is wrong with it."""
    data = read_json(path, "measured data")
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise WorkbenchError(
            f"measured data {str(path)!r} is not of format {FORMAT}; write it again with calibrate"
        )
    try:
        return MeasuredFile(
            data["host"],
            data["made"],
            tuple(Measurement.from_record(one) for one in data["events"]),
            validation.from_records(data["validation"]),
            tuple(survey.Behaviour(**one) for one in data["payloads"]),
            data["costs_are"],
            data["tsc_per_ns"],
            tuple(timing.Cost(**one) for one in data["costs"]),
            tuple(survey.UpdateCount(**one) for one in data.get("updates", ())),
        )
    except (KeyError, TypeError) as error:
        raise WorkbenchError(f"measured data {str(path)!r} is not complete: {error}") from error


def known() -> tuple[Path, ...]:
    """Return the files that come with the workbench."""
    return tuple(sorted(FOLDER.glob("*.json")))


def all_measured_files(paths: Iterable[Path] | None = None) -> tuple[MeasuredFile, ...]:
    """Return what is in ``paths``; by default the files that come with the workbench."""
    return tuple(load(path) for path in (known() if paths is None else paths))
