"""The catalogue of failures: each a property with its story, its smallest example and its place in history."""

from workbench.checking.failures.belief import FALSE_SUCCESS, LOST, OLD_AREA, SILENT, UNKNOWN_TO_GUEST
from workbench.checking.failures.descriptor import DOUBLE_FETCH, LAYOUT_CLASH, PRIVATE_DESCRIPTOR
from workbench.checking.failures.failure import Failure, Need
from workbench.checking.failures.host_state import REMEMBERED, RESTORE_DIFFERS, RESTORE_REPLAYS, UNBOUNDED
from workbench.checking.failures.occurrences import ARRIVES, REGISTERS
from workbench.checking.failures.payload import TORN
from workbench.checking.failures.writes import OVERLAP, STRAY_WRITE, WRITE_OUTSIDE, WRONG_VCPU
from workbench.errors import WorkbenchError

FAILURES: dict[str, Failure] = {
    failure.code: failure
    for failure in (
        STRAY_WRITE,
        LOST,
        UNKNOWN_TO_GUEST,
        FALSE_SUCCESS,
        DOUBLE_FETCH,
        TORN,
        WRITE_OUTSIDE,
        UNBOUNDED,
        RESTORE_DIFFERS,
        RESTORE_REPLAYS,
        SILENT,
        WRONG_VCPU,
        PRIVATE_DESCRIPTOR,
        LAYOUT_CLASH,
        OLD_AREA,
        REMEMBERED,
        OVERLAP,
        REGISTERS,
        ARRIVES,
    )
}


def choose(names: "list[str] | None" = None) -> tuple[Failure, ...]:
    """Return the failures with these codes or names, in the catalogue's order (all when None).

    Raises WorkbenchError for a name that is neither.
    """
    if names is None:
        return tuple(FAILURES.values())
    known = {failure.code: failure for failure in FAILURES.values()} | {f.name: f for f in FAILURES.values()}
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None or not names:
        said = f"unknown property {wrong!r}" if wrong is not None else "no property named"
        listed = ", ".join(f"{f.code} {f.name}" for f in FAILURES.values())
        raise WorkbenchError(f"{said}; known: {listed}")
    wanted = {known[name].code for name in names}
    return tuple(failure for code, failure in FAILURES.items() if code in wanted)


__all__ = ["FAILURES", "Failure", "Need", "choose"]
