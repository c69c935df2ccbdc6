"""Runs of events on this host's KVM, in the tidy columns of simulated runs, and the simulator's fates for comparison.

Measured values carry ``engine`` = "kvm" and the line that says what this KVM is; they never share a column with
simulated ones. Exits that KVM handles itself cannot be counted from outside; they are unknown, not 0.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.core.contracts import Feature
from workbench.core.contracts.event import Event
from workbench.core.outcome import Fate, worst
from workbench.core.rules.place import by_author, raised
from workbench.core.scenario import Scenario
from workbench.durable.store import Store, opened
from workbench.engines.kvm.engine import KvmRun, run_on_kvm, this_host
from workbench.engines.kvm.guest.longmode import MAX_CPUS
from workbench.engines.kvm.machine import NotRunError
from workbench.engines.simulate import simulate
from workbench.errors import EngineError, WorkbenchError
from workbench.lifecycle import choose as choose_events
from workbench.measure.comparison.compare import run_keys
from workbench.measure.comparison.runs import Missed, possible
from workbench.measure.rows import Row, frame
from workbench.measure.variants import DEFAULT, Variant, features_of, features_text, variants

if TYPE_CHECKING:
    import pandas

ENGINE = "kvm"

#: {feature: {fate: number of areas}}.
Words = dict[str, dict[str, int]]


@dataclass(frozen=True)
class Measurement:
    """The results of one event on a real KVM, as numbers and text; or why it was not run."""

    protocol: str
    event: str
    vcpus: int
    features: str
    not_run: str | None = None
    words: Words = field(default_factory=dict)
    user_exits: int = 0
    guest_wrmsrs: int = 0
    payloads: dict[str, int] = field(default_factory=dict)  #: feature -> number of areas that hold bytes of the host
    strayed: int = 0  #: areas in memory with another owner that the host wrote to, or holds
    pages_sent: tuple[int, ...] = ()  #: of a migration: for each round
    carried_calls: int | None = None  #: hypercalls that a port carried; None for a design without hypercalls
    missed: Missed | None = None  #: of a migration; None without one, and in files written before it was counted

    @property
    def fate(self) -> str:
        """The worst fate of any area, or "not run"."""
        if self.not_run is not None:
            return "not run"
        return worst([Fate(word) for words in self.words.values() for word in words]).value

    def as_record(self) -> dict[str, Any]:
        """Return this as a JSON object."""
        record = {**asdict(self), "pages_sent": list(self.pages_sent)}
        unsaid = {key for key in ("carried_calls", "missed") if record[key] is None}
        return {key: value for key, value in record.items() if key not in unsaid}

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Measurement:
        """Return what :meth:`as_record` wrote."""
        missed = Missed(*record["missed"]) if "missed" in record else None
        return cls(**{**record, "pages_sent": tuple(record["pages_sent"]), "missed": missed})


def words_of(fates: Mapping[tuple[int, str], Fate]) -> Words:
    """Return the number of areas of each feature with each fate."""
    found: Words = {}
    for (_, feature), fate in fates.items():
        words = found.setdefault(feature, {})
        words[fate.value] = words.get(fate.value, 0) + 1
    return found


def measure_on_kvm(variant: Variant, features: tuple[Feature, ...], vcpus: int, event: Event) -> Measurement:
    """Run ``event`` under ``variant`` on this host's KVM.

    Raises EngineError if there is no KVM, WorkbenchError for an impossible number of vCPUs.
    """
    check_vcpus(vcpus)
    scenario = Scenario(variant.protocol(features), features, vcpus=vcpus)
    head = (variant.label, event.name, vcpus, features_text(features))
    what_happens: Any = event  # the engine asks for a plain attribute where events have a class variable
    try:
        with naming(variant, event):
            run = run_on_kvm(scenario, what_happens)
    except NotRunError as reason:
        return Measurement(*head, not_run=str(reason))
    return Measurement(
        *head,
        words=words_of(run.fates),
        user_exits=run.counts["user_exits"],
        guest_wrmsrs=run.counts["guest_wrmsrs"],
        payloads=_payloads(run),
        strayed=len(run.strayed),
        pages_sent=run.rounds,
        carried_calls=run.counts["guest_hypercalls"] if variant.kind.hypercalls else None,
        missed=Missed(run.lost_bytes, run.lost_pages) if run.rounds else None,
    )


@contextmanager
def naming(variant: Variant, event: Event) -> Iterator[None]:
    """Turn an exception of a protocol's own code into one line that names protocol, event, file and line."""
    try:
        yield
    except (WorkbenchError, MemoryError):
        raise
    except BaseException as error:
        if not by_author(error):
            raise
        raise WorkbenchError(
            f"protocol {variant.label} raised an exception under event {event.name}: {raised(error)}"
        ) from error


def _payloads(run: KvmRun) -> dict[str, int]:
    return dict(Counter(feature for (_, feature), seen in run.payloads.items() if seen))


@lru_cache(maxsize=1024)
def simulated_words(
    variant: Variant, features: tuple[Feature, ...], vcpus: int, event: Event
) -> tuple[Words, int]:
    """Return the simulator's fates for the same areas, and its exits for guest accesses to registers."""
    what_happens: Any = event
    with naming(variant, event):
        run = simulate(Scenario(variant.protocol(features), features, vcpus=vcpus), what_happens)
    return words_of(run.fates), run.counts["wrmsr_exits"] + run.counts["rdmsr_exits"]


def check_vcpus(vcpus: int) -> int:
    """Return ``vcpus``; raise WorkbenchError if a guest here cannot have so many."""
    if not 1 <= vcpus <= MAX_CPUS:
        raise WorkbenchError(f"{vcpus} vCPUs on KVM: allowed are 1 to {MAX_CPUS}")
    return vcpus


def require_kvm() -> str:
    """Return the line that says what this KVM is; raise EngineError with reason and advice if there is none."""
    host = this_host()
    if not host.available:
        raise EngineError(host.line)
    return host.line


def measurements(
    protocols: Sequence[str | Variant] = DEFAULT,
    events: Sequence[str | Event] | None = None,
    features: Sequence[str | Feature] | None = None,
    vcpus: int = 4,
    say: Callable[[str], None] = lambda what: None,
    state: Store | Path | str | None = None,
) -> tuple[Measurement, ...]:
    """Run every chosen protocol under every chosen event on this host's KVM; None means all.

    Events that need more vCPUs are left out unless named. ``say`` is called with progress messages. ``state``: a
    directory in which finished runs are kept, and used by a later call with it on the same host.
    Raises EngineError if there is no KVM.
    """
    host = require_kvm()
    check_vcpus(vcpus)
    chosen = choose_events(events)
    happening = possible(chosen, vcpus) if events is None else chosen
    short = [event for event in happening if event.min_vcpus > vcpus]
    if short:
        raise WorkbenchError(
            f"event {short[0].name!r} needs at least {short[0].min_vcpus} vCPUs; here are {vcpus}"
        )
    designs = variants(protocols)
    carried = {one.label: features_of(one, features) for one in designs}
    runs = [(one, event) for one in designs for event in happening]

    def work(number: int) -> dict[str, Any]:
        one, event = runs[number]
        say(f"kvm: {one.label}, {event.name}")
        return measure_on_kvm(one, carried[one.label], vcpus, event).as_record()

    with opened(state) as store:
        batch = store.batch("runs on KVM", run_keys(store, runs, carried, vcpus, host))
        return tuple(Measurement.from_record(piece) for piece in batch.each(work))


def rows_of(one: Measurement, host: str) -> list[Row]:
    """Return the tidy rows of one measurement: fates, areas, exits, payloads, and which KVM it was."""

    def row(metric: str, value: int | str | None, unit: str) -> Row:
        return Row(one.protocol, one.event, metric, value, unit, ENGINE, one.vcpus, one.features)

    rows = [row("host", host, "word"), row("fate", one.fate, "word")]
    if one.not_run is not None:
        return [*rows, row("not_run", one.not_run, "word")]
    areas = Counter[str]()
    for words in one.words.values():
        areas.update(words)
    rows.append(row("areas", areas[Fate.REGISTERED.value], "areas"))
    rows += [row(f"areas_{fate.value}", areas[fate.value], "areas") for fate in Fate]
    rows += [
        row("user_exits", one.user_exits, "exits"),
        row("kernel_exits", None, "exits"),  # not countable from outside
        row("guest_wrmsrs", one.guest_wrmsrs, "accesses"),
        *([] if one.carried_calls is None else [row("hypercalls_carried_by_a_port", one.carried_calls, "exits")]),
        row("stray_areas", one.strayed, "areas"),
        row("pages_sent", sum(one.pages_sent), "pages"),
    ]
    if one.missed is not None:
        rows += [row("missed_dirty_pages", one.missed.pages, "pages")]
        rows += [row("missed_dirty_bytes", one.missed.bytes, "bytes")]
    return rows + [row(f"payload_{name}", count, "areas") for name, count in sorted(one.payloads.items())]


def on_kvm(
    protocols: Sequence[str | Variant] = DEFAULT,
    events: Sequence[str | Event] | None = None,
    features: Sequence[str | Feature] | None = None,
    vcpus: int = 4,
) -> pandas.DataFrame:
    """Return the tidy table of a real KVM (columns of ``tidy.Row``, ``engine`` "kvm"); None means all.

    An event that cannot be run here has the fate "not run" and a row ``not_run`` with the reason.
    Raises EngineError if there is no KVM here.
    """
    host = require_kvm()
    return as_frame(measurements(protocols, events, features, vcpus), host)


def as_frame(found: Iterable[Measurement], host: str) -> pandas.DataFrame:
    """Return measurements as a tidy frame."""
    return frame([row for one in found for row in rows_of(one, host)])
