"""The whole check of one design, in the order of its lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from workbench.checking.failures import FAILURES
from workbench.core import own_files
from workbench.core.catalogue import classes_in
from workbench.core.contracts import Feature
from workbench.core.rules.author import complaints
from workbench.core.rules.place import by_author
from workbench.engines.explore import NOT_EXERCISED
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure.design_check import operations, runs
from workbench.measure.design_check.line import FAIL, PASS, RUNS, SKIP, Line, error_text, number_of
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import Variant, features_of, variant
from workbench.protocols import CATALOGUE

Say = Callable[[str], None]
#: Events that are explored to see which properties are about something under the design.
EXPLORED = ("boot", "kexec", "migrate")
MAX_STATES = 50_000


@dataclass
class Report:
    """The lines of a check, properties that say nothing about the design, and what to do next."""

    label: str
    lines: list[Line] = field(default_factory=list)
    vacuous: list[str] = field(default_factory=list)
    following: list[str] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(line.status == FAIL for line in self.lines)


def check(name: str, say: Say = lambda what: None, features: Sequence[str] | None = None) -> Report:
    """Check the design that ``name`` names, as for ``variant``; ``say`` is called with progress messages.

    ``features``: by name; None: all that ship, and those that the design's file defines. Raises WorkbenchError for a
    file, class, feature or mitigation that is not there.
    """
    bare = name.partition("+")[0]
    if own_files.names_file(bare):
        kind = own_files.find(bare, CATALOGUE.sort)
        found = complaints(kind)
        if found:
            report = Report(name, [Line(FAIL, "text and declarations", text) for text in found])
            report.lines.append(Line(SKIP, "everything else", "repair these first"))
            report.following.append(f"repair the lines above, then again: workbench check {name}")
            return report
    chosen = variant(name)
    report = Report(name, [Line(PASS, "text and declarations", "names, types, signatures, yields")])
    chosen_features = choose(features) if features else (*features_of(chosen), *_of_the_file(chosen.kind))
    report.lines += (_with_what_is_known(chosen, line) for line in lines_of(chosen, chosen_features, say))
    if not any(line.what == RUNS for line in report.lines if line.status == FAIL):
        say("check: which properties are about something")
        report.vacuous = vacuous(chosen, chosen_features)
        report.lines += on_kvm(chosen, chosen_features)
    report.following += following(name, report)
    return report


#: What is known of the designs that ship: (name, check) -> clause of its file, and the mitigation that helps.
KNOWN = {
    ("generic", "save and restore"): "R15 of its file; the mitigation carry-registry carries it",
    ("xen_vcpu", "save and restore"): "R11 of its file; the mitigation carry-areas carries it",
    ("per_feature", "every feature registered at boot"): "R14 of its file: KVM leaves MIGRATION_CONTROL to the VMM",
    ("per_feature", "an area across two pages"): "R4 and R5 of its file: so does KVM; mitigation revoke-on-crossing",
}


def lines_of(chosen: Variant, features: tuple[Feature, ...], say: Say) -> Iterator[Line]:
    """Yield the lines of all dynamic checks; an error of one is its own line."""
    told: set[str] = set()
    for line in runs.events(chosen, features, say):
        told.add(line.text.rpartition(" (event ")[0])
        yield line
    say("check: the same steps each time")
    yield runs.same_each_time(chosen, features)
    for one in (
        runs.registered_at_boot,
        runs.save_and_restore,
        operations.refused_changes_nothing,
        operations.across_two_pages,
        operations.two_vcpus,
    ):
        say(f"check: {one.__name__.replace('_', ' ')}")
        try:
            yield one(chosen, features)
        except BaseException as error:
            if not by_author(error):
                raise
            yield _broken(one.__name__.replace("_", " "), error, told)
    say("check: any value")
    try:
        yield from operations.any_value(chosen, features)
    except BaseException as error:
        if not by_author(error):
            raise
        yield _broken("any value", error, told)


def _broken(what: str, error: BaseException, told: set[str]) -> Line:
    """Return the line of a check that an error breaks off; one that was ``told`` already is not told again."""
    text = error_text(error)
    return Line(SKIP, what, "breaks off as above") if text in told else Line(FAIL, what, text)


def _of_the_file(kind: type) -> list[Feature]:
    """Return the features that the file of a design defines itself."""
    module = sys.modules[kind.__module__]
    return [one() for one in classes_in(module, Feature)] if own_files.is_from_file(kind) else []


def _with_what_is_known(chosen: Variant, line: Line) -> Line:
    known = KNOWN.get((getattr(chosen.kind, "name", ""), line.what)) if line.status == FAIL else None
    return line if known is None else line._replace(text=f"{line.text} (known: {known})")


def vacuous(chosen: Variant, features: tuple[Feature, ...]) -> list[str]:
    """Return the titles of the properties whose premise came about in none of a few small explorations."""
    protocol = chosen.protocol(features)
    supported = [runs.named(feature) for feature in features if protocol.supports(feature)]
    if not supported:
        return [failure.title for failure in FAILURES.values() if failure.kind == "always"]
    sizes = [Size(1, tuple(supported[:2])), *([Size(1, tuple(supported[2:4]))] if supported[2:4] else [])]
    cells = matrix([chosen], [EVENTS[name] for name in EXPLORED], sizes=sizes, max_states=MAX_STATES)
    exercised = {cell.property for cell in cells if cell.verdict != NOT_EXERCISED}
    always = (failure for failure in FAILURES.values() if failure.kind == "always")
    return [failure.title for failure in always if failure.code not in exercised]


def on_kvm(chosen: Variant, features: tuple[Feature, ...]) -> Iterator[Line]:
    """Say how a real KVM runs the design, and whether one is here."""
    from workbench.core.scenario import Scenario
    from workbench.engines.kvm.engine import this_host, why_not

    what, kind = "real KVM", chosen.kind
    reason = why_not(Scenario(chosen.protocol(features), features, vcpus=2), EVENTS["boot"])
    if reason is not None:
        yield Line(SKIP, what, reason)
        return
    how = []
    if kind.native:
        how.append(f"KVM's own registers serve {', '.join(kind.native)}")
    if kind.deflected:
        how.append(f"an MSR filter hands {number_of(len(kind.deflected), 'register')} to this file")
    if kind.hypercalls:
        how.append("KVM answers hypercalls itself, so another exit carries them")
    if kind.mmio or kind.ports:
        how.append("device accesses exit natively")
    host = this_host()
    told = "; ".join(how) or "the design claims nothing"
    yield Line(PASS if host.available else SKIP, what, told if host.available else f"{told}; not here: {host.line}")


def following(name: str, report: Report) -> list[str]:
    """Return the commands that come next."""
    if report.failed:
        first = next(line for line in report.lines if line.status == FAIL)
        return [f"look at: {first.what}", f"then again: workbench check {name}"]
    return [
        f"workbench compare --protocols per_feature,{name}",
        f"workbench matrix --protocols {name} --mitigations all",
        f"workbench kvm --protocols {name}",
    ]
