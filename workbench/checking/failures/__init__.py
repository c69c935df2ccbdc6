"""The catalogue of failures: properties, each with an explanation, a minimal example and real occurrences.

Every ``Failure`` defined in a file of this folder is in FAILURES; it need not be listed anywhere else.
"""

from workbench.checking.failures.failure import Claim, Failure, Violation, for_places
from workbench.core.catalogue import by_key, modules_of, values_in
from workbench.errors import WorkbenchError, unknown

#: All failures by code, in the order of the codes.
FAILURES: dict[str, Failure] = by_key(
    sorted(
        (failure for module in modules_of(__name__, __path__) for failure in values_in(module, Failure)),
        key=lambda failure: failure.code,
    ),
    lambda failure: failure.code,
)


def choose(names: "list[str] | None" = None) -> tuple[Failure, ...]:
    """Return the failures with these codes, names or titles, in the catalogue's order (all when None).

    Raises WorkbenchError for a name that is neither, and for an empty list.
    """
    if names is None:
        return tuple(FAILURES.values())
    known = {name: failure for failure in FAILURES.values() for name in (failure.code, failure.name, failure.title)}
    wrong = next((name for name in names if name not in known), None)
    if wrong is not None or not names:
        listed = [f"{failure.name} ({failure.code})" for failure in FAILURES.values()]
        raise WorkbenchError("no property named", listed) if wrong is None else unknown("property", wrong, listed)
    wanted = {known[name].code for name in names}
    return tuple(failure for code, failure in FAILURES.items() if code in wanted)


__all__ = ["FAILURES", "Claim", "Failure", "Violation", "choose", "for_places"]
