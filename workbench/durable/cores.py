"""How many cores work may use: of processes that share a machine each has a share, and begins no more threads."""

import os

#: In the environment of a process that has a share: the number of its cores.
VARIABLE = "WORKBENCH_CORES"


def cores() -> int:
    """Return how many cores this process may use: its share, or all CPUs that it is allowed to run on."""
    share = os.environ.get(VARIABLE, "")
    if share.isdecimal() and int(share):
        return int(share)
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def share_of(processes: int) -> dict[str, str]:
    """Return the entry of the environment that gives each of so many processes its share of this one's cores."""
    return {VARIABLE: str(max(1, cores() // processes))}
