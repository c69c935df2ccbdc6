"""Compares the answers of two hosts step by step: outcomes, values, accepted host accesses, payloads, dirty pages.

The rule kept here: a difference is unexplained unless a known divergence of this kernel (``known``) covers exactly
that operation and those two answers; explained ones are counted, never dropped. The first unexplained one ends
the comparison of a sequence, because later differences may be its consequence.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from workbench.core.outcome import FAULT, HANDLED, UNKNOWN, Outcome
from workbench.fuzz.clock import TOLERANCE
from workbench.fuzz.effects import EFFECTS, NONE
from workbench.fuzz.judging import judge
from workbench.fuzz.known import Known
from workbench.fuzz.payload import Payloads
from workbench.fuzz.runners import Answers, Observed
from workbench.replay.grammar import Operation

#: Exclusions.
NOW, NO_UNKNOWN, MORE = "clock-now", "unknown-is-fault", "more-updates"


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first operation on which the hosts disagree, and both answers."""

    position: int  #: index in the sequence; the sequence's length if only the final state differs
    key: str  #: of the answer (outcome, value, accepted, hex, sent ...), or dirty, or error
    simulated: str
    real: str
    why: str = ""
    rule: str = ""  #: of payloads, the rule that is broken
    expect: Mapping[str, Any] = field(default_factory=dict)  #: KVM's answer as an expectation of a replay file

    @property
    def kind(self) -> str:
        """The kind of divergence, which must stay the same while a sequence is shrunk."""
        return f"{self.key} {self.rule}".strip()


@dataclass(slots=True)
class Verdict:
    """The result of comparing one sequence."""

    compared: int  #: operations
    divergence: Divergence | None = None
    known: Counter[str] = field(default_factory=Counter)  #: explained differences, by the name of the explanation


def compare(operations: Sequence[Operation], simulated: Answers, real: Answers, known: Known) -> Verdict:
    """Compare the answers of two sides to one sequence."""
    verdict = Verdict(0)
    payloads = Payloads(known.allowed, known.left_out)
    verdict.known = payloads.explained
    for position, (step, ours, kvms) in enumerate(zip(operations, simulated.observed, real.observed, strict=False)):
        if ours.get("outcome") is UNKNOWN and kvms["outcome"] is FAULT:
            payloads.not_told(step.arguments["cpu"])
            if payloads.left_out.applies(NO_UNKNOWN):
                payloads.explained[NO_UNKNOWN] += 1
                ours = {**ours, "outcome": FAULT}
        found = _step(position, step, ours, kvms, payloads, simulated)
        if found is not None:
            explained = known.explains(step)
            if explained is None:
                verdict.divergence = found
                return verdict
            verdict.known[explained] += 1
        verdict.compared += 1
        payloads.turn += step.op != "load"
    verdict.divergence = _at_the_end(verdict.compared, simulated, real, payloads)
    return verdict


def _step(
    position: int, step: Operation, ours: Observed, kvms: Observed, payloads: Payloads, simulated: Answers
) -> Divergence | None:
    effect = EFFECTS.get(step.op, NONE)
    if effect.enters:
        payloads.entered(step.arguments["cpu"])
    if effect.disturbs(step.arguments):
        payloads.disturbed(step.arguments.get("cpu"))
    compared = _COMPARED.get(step.op)
    if compared is not None:
        return compared(position, step, ours, kvms, payloads, simulated)
    if ours != kvms:
        key = next(key for key in (*ours, *kvms) if ours.get(key) != kvms.get(key))
        return Divergence(position, key, shown(ours), shown(kvms), expect=kvms)
    if effect.follow is not None:
        effect.follow(payloads, step.arguments, ours, simulated.served.get(position, frozenset()))
    return None


def _clock(
    position: int, step: Operation, ours: Observed, kvms: Observed, payloads: Payloads, simulated: Answers
) -> Divergence | None:
    clock = payloads.clock
    if ours == kvms:
        return None
    free = payloads.left_out.applies(NOW)
    if ours["realtime"] is not kvms["realtime"] and not (free and not clock.is_running):
        expect = {"realtime": kvms["realtime"]}
        return Divergence(position, "realtime", shown(ours), shown(kvms), expect=expect)
    if free and (not clock.is_set or clock.is_near(ours["ns"], kvms["ns"])):
        payloads.explained[NOW] += 1
        return None
    low = max(0, kvms["ns"] - TOLERANCE)
    expect = {"at_least": low, "at_most": low + 2 * TOLERANCE}
    return Divergence(position, "ns", shown(ours), shown(kvms), expect=expect)


def _sent(
    position: int, step: Operation, ours: Observed, kvms: Observed, payloads: Payloads, simulated: Answers
) -> Divergence | None:
    found = _pages(_frames(ours), _frames(kvms), payloads)
    payloads.log_taken()
    if found is None:
        return None
    pages = [page << 12 for page in sorted(found.pages)]
    expect = {"not_sent" if found.missing else "sent": pages}
    return Divergence(position, "sent", shown(ours), shown(kvms), found.why, expect=expect)


def _frames(observed: Observed) -> frozenset[int]:
    return frozenset(page for low, high in observed["sent"] for page in range(low >> 12, high >> 12))


def _load(
    position: int, step: Operation, ours: Observed, kvms: Observed, payloads: Payloads, simulated: Answers
) -> Divergence | None:
    if ours["outcome"] is not kvms["outcome"]:
        return Divergence(position, "outcome", shown(ours), shown(kvms), expect={"outcome": kvms["outcome"]})
    if ours["outcome"] is not HANDLED:
        return None
    mine, real = bytes.fromhex(ours["hex"]), bytes.fromhex(kvms["hex"])
    found = judge(payloads, step.arguments["gpa"], mine, real, simulated.served[position])
    if found is None:
        return None
    low, high = found.offset, found.offset + found.size
    key, allowed = found.expect
    patterns = tuple("??" * low + digits.ljust(2 * (len(mine) - low), "?") for digits in allowed)
    why = f"{found.rule} ({found.gpa:#x})"
    return Divergence(position, "hex", mine[low:high].hex(), real[low:high].hex(), why, found.rule, {key: patterns})


def _at_the_end(position: int, simulated: Answers, real: Answers, payloads: Payloads) -> Divergence | None:
    if simulated.error != real.error:
        return Divergence(position, "error", simulated.error or "nothing", real.error or "nothing")
    found = _pages(simulated.dirty, real.dirty, payloads)
    if found is None:
        return None
    return Divergence(position, "dirty", _listed(simulated.dirty), _listed(real.dirty), found.why)


class _Pages(NamedTuple):
    """Pages that one log has and the other must not lack; ``missing``: in KVM's."""

    pages: frozenset[int]
    missing: bool

    @property
    def why(self) -> str:
        """The difference as text."""
        why = "KVM's dirty log lacks" if self.missing else "KVM wrote pages of no area:"
        return f"{why} {', '.join(f'{page << 12:#x}' for page in sorted(self.pages))}"


def _pages(simulated: frozenset[int], real: frozenset[int], payloads: Payloads) -> _Pages | None:
    """Compare two dirty logs: KVM's may have more pages only where areas are, and lack only what it need not write."""
    missing = simulated - real - payloads.unpromised_pages()
    if missing:
        return _Pages(missing, True)
    more = real - simulated
    if more and payloads.left_out.applies(MORE):
        served = {page for area in payloads.areas.values() for page in area.pages}
        payloads.explained[MORE] += bool(more & served)
        more -= served
    return _Pages(more, False) if more else None


def _listed(pages: frozenset[int]) -> str:
    return ", ".join(f"{page << 12:#x}" for page in sorted(pages)) or "no pages"


def shown(observed: Mapping[str, Any]) -> str:
    """Return an answer in one line."""
    parts = []
    for value in observed.values():
        if isinstance(value, Outcome):
            parts.append(value.name)
        elif isinstance(value, bool):
            parts.append("accepted" if value else "refused")
        else:
            parts.append(f"{value:#x}" if isinstance(value, int) else str(value))
    return " ".join(parts) or "nothing"


#: Operations whose answers need not be equal.
_COMPARED = {"load": _load, "get_clock": _clock, "copy_round": _sent}
