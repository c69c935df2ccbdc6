"""Shrinks a sequence that shows a divergence: fewer operations, then simpler numbers.

The rules kept here: the shrunk sequence shows a divergence of the same kind, on machines never used before, and
stays a valid replay. Delta debugging: A. Zeller, R. Hildebrandt, "Simplifying and Isolating
Failure-Inducing Input", IEEE TSE 28(2), 2002.
"""

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from workbench.errors import WorkbenchError
from workbench.replay.grammar import Operation
from workbench.replay.reading import check_layout

#: Tells whether a sequence still shows the divergence.
Shows = Callable[[Sequence[Operation]], bool]

#: The most trials of one shrinking; each opens one or two fresh VMs, which takes some milliseconds.
MOST_TRIALS = 2000
#: The longest sequence of which each pair of operations is tried: 190 trials.
_FEW = 20


def shrink(operations: Sequence[Operation], shows: Shows) -> list[Operation]:
    """Return a small sequence that ``shows`` accepts, made from ``operations``, which it accepts."""
    trials = _Trials(shows)
    kept = list(operations)
    before = None
    while before != kept and trials.left:
        before = kept
        kept = _fewer(kept, trials)
        kept = _without_pairs(kept, trials)
        kept = _plainer(kept, trials)
    return [step._replace(line=line) for line, step in enumerate(kept, 1)]


class _Trials:
    """Counts the trials, and rejects sequences that are not valid replays."""

    def __init__(self, shows: Shows) -> None:
        self._shows, self.left = shows, MOST_TRIALS

    def __call__(self, operations: Sequence[Operation]) -> bool:
        if not self.left:
            return False
        try:
            check_layout(operations)
        except WorkbenchError:
            return False
        self.left -= 1
        return self._shows(operations)


def _fewer(operations: list[Operation], trials: _Trials) -> list[Operation]:
    """Remove runs of operations, ever smaller ones; the first operation, ``machine``, stays."""
    kept = operations
    size = max(1, (len(kept) - 1) // 2)
    while trials.left:
        at, removed = 1, False
        while at < len(kept):
            tried = kept[:at] + kept[at + size :]
            if trials(tried):
                kept, removed = tried, True
            else:
                at += size
        if size == 1 and not removed:
            break
        size = max(1, size // 2)
    return kept


def _without_pairs(operations: list[Operation], trials: _Trials) -> list[Operation]:
    """Remove two operations that are only needed together, as a store and one that undoes it; of short sequences."""
    if len(operations) > _FEW:
        return operations
    for first, second in combinations(range(1, len(operations)), 2):
        tried = [step for at, step in enumerate(operations) if at not in (first, second)]
        if trials(tried):
            return _without_pairs(tried, trials)
    return operations


def _plainer(operations: list[Operation], trials: _Trials) -> list[Operation]:
    """Try vCPU 0, values with fewer bits, and shorter loads."""
    kept = operations
    for position in range(1, len(kept)):
        plainer: list[Operation] | None = kept
        while plainer is not None:
            kept = plainer
            tried = ([*kept[:position], step, *kept[position + 1 :]] for step in _variants(kept[position]))
            plainer = next((each for each in tried if trials(each)), None)
    return kept


def _variants(step: Operation) -> Iterator[Operation]:
    arguments = dict(step.arguments)
    if arguments.get("cpu"):
        yield step._replace(arguments=arguments | {"cpu": 0})
    if step.op in ("wrmsr", "host_set_msr"):
        for value in _plainer_values(arguments["value"]):
            yield step._replace(arguments=arguments | {"value": value})
    for key in ("entries", "registers", "allow", "deny"):
        listed = arguments.get(key) or ()
        for at in range(len(listed)):
            yield step._replace(arguments=arguments | {key: (*listed[:at], *listed[at + 1 :])})
    if step.op == "load" and arguments["size"] > 64:
        for start in range(arguments["gpa"], arguments["gpa"] + arguments["size"], arguments["size"] // 8):
            yield step._replace(arguments=arguments | {"gpa": start, "size": arguments["size"] // 8})


def _plainer_values(value: int) -> Iterator[int]:
    for bit in range(value.bit_length()):
        if value >> bit & 1:
            yield value & ~(1 << bit)
