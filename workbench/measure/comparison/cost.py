"""Cost models: published costs of an exit, in cycles. Costs are never mixed with counts.

A model is a JSON file in ``data/cost_models/`` or anywhere else. It names its source, hardware and date, because
such figures do not transfer from one machine to another; a figure that the source does not give is null, and a
cost that would need it is unknown (None), never a guess.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.errors import WorkbenchError, unknown
from workbench.paths import DATA
from workbench.reading import read_json

if TYPE_CHECKING:
    from workbench.measure.comparison.runs import Measured

MODELS = DATA / "cost_models"

_CYCLES = ("kernel_exit_cycles", "user_exit_cycles", "memory_access_cycles")


@dataclass(frozen=True)
class CostModel:
    """Cycles for an exit that KVM handles, one that the VMM handles, and a host access to guest memory.

    None is unknown. An unknown cost of a memory access counts as 0, because the sources are about exits.
    """

    name: str
    title: str
    kernel_exit_cycles: int
    user_exit_cycles: int | None
    memory_access_cycles: int | None
    hardware: str
    date: str
    source: str
    confidence: str
    stands_for: str

    @property
    def unit(self) -> str:
        """The unit of a cost by this model; it names the model, so that costs by different models are never added."""
        return f"cycles (model {self.name})"

    def cost(self, run: Measured) -> int | None:
        """Return the cycles that the exits and accesses of ``run`` cost, None if the model lacks a figure for them."""
        user = run.counts["user_exits"]
        if user and self.user_exit_cycles is None:
            return None
        accesses = run.counts["host_loads"] + run.counts["host_stores"]
        return (
            run.counts["kernel_exits"] * self.kernel_exit_cycles
            + user * (self.user_exit_cycles or 0)
            + accesses * (self.memory_access_cycles or 0)
        )


def known() -> tuple[str, ...]:
    """Return the names of the models that come with the workbench."""
    return tuple(sorted(path.stem for path in MODELS.glob("*.json")))


def load(name: str) -> CostModel:
    """Return a model by its name or from a path ending in .json; raise WorkbenchError saying what is wrong."""
    path = Path(name) if name.endswith(".json") else MODELS / f"{name}.json"
    if not name.endswith(".json") and name not in known():
        raise unknown("cost model", name, known(), more=", or path/to/model.json")
    return _checked(name, read_json(path, "cost model"))


def _checked(name: str, data: Any) -> CostModel:
    wanted = [field.name for field in fields(CostModel)]
    if not isinstance(data, dict):
        raise WorkbenchError(f"cost model {name!r} is not a JSON object with the keys {', '.join(wanted)}")
    for wrong, keys in (("lacks", set(wanted) - set(data)), ("has the unknown key", set(data) - set(wanted))):
        if keys:
            raise WorkbenchError(
                f"cost model {name!r} {wrong} {sorted(keys)[0]!r}; its keys are {', '.join(wanted)}"
            )
    for key in wanted:
        _check_value(name, key, data[key])
    return CostModel(**data)


def _check_value(name: str, key: str, value: Any) -> None:
    if key not in _CYCLES:
        if not isinstance(value, str) or not value.strip():
            raise WorkbenchError(
                f"cost model {name!r}: {key} must be a non-empty text, not {value!r}"
            )
        return
    optional = key != "kernel_exit_cycles"
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    if not is_count and not (optional and value is None):
        allowed = "cycles as a whole number, 0 or more" + (", or null for unknown" if optional else "")
        raise WorkbenchError(f"cost model {name!r}: {key} is {value!r}; allowed: {allowed}")
