"""Tables for the tests of figures: of runs, under the names of as many protocols as a test asks for."""

from functools import cache

from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure import compare, over_features, over_vcpus, variants
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.skew.table import rows
from workbench.measure.verdict.page import Page, page
from workbench.measure.verdict.scope import Scope
from workbench.present.figures import figures

DESIGNS = ("generic", "per_feature", "generic+carry-registry", "null")
#: What users may choose: long, without a place to break, and what other programs take for markup or a formula.
NAMES = (
    "a_registration_by_hypercall_of_each_area", "x" * 40, "<script>alert('$x^{$')</script>&amp;_____",
    "generic+carry-registry+copy-once+revoke-all", "per_feature", "_beginning.with/an\\underscore:as~labels_",
    "one_register_for_many-features_of_a-host", "区域_registered_by_a_table_of_the_guest__",
)  # fmt: skip
#: More than are shown one by one, of every group, with every fate.
MANY = (
    "boot", "cpu-hotplug", "kexec", "kexec-no-teardown", "kexec-to-silent", "migrate", "old-host", "ignore-msrs",
    "memslot-unplug", "double-registration-crossing", "hostile-endless", "hostile-bad-base", "encrypted", "page-ready",
)  # fmt: skip
#: The figures of a tidy table, and what each draws.
KINDS = ("growth", "features", "guest_memory", "state", "fates", "exits", "failures", "skew", "verdict")


@cache
def runs():
    """Tables of a few designs: over vCPUs, over features, and of every event."""
    chosen, features = variants(DESIGNS), choose()
    return {
        "vcpus": over_vcpus(chosen, features, EVENTS["boot"], (1, 2, 3, 4, 64)),
        "count": over_features(chosen, features, 2, EVENTS["boot"]),
        "events": compare(DESIGNS, MANY, vcpus=2),
        "cells": matrix(variants(DESIGNS[:2]), [EVENTS["old-host"], EVENTS["ignore-msrs"]],
                        sizes=[Size(1, ("wall_clock",))]),
        "verdict": page({one.label: one for one in chosen}, Scope(("steal_time",), ("boot",), repairs=False)),
        "skew": rows(chosen, choose(["steal_time", "watchdog"])),
    }  # fmt: skip


def renamed(table, names):
    """Return the table of as many protocols as there are names, each with the rows of one of the designs."""
    import pandas

    designs = [table[table["protocol"] == design] for design in DESIGNS]
    own = [designs[at % len(designs)].assign(protocol=name) for at, name in enumerate(names)]
    return pandas.concat(own, ignore_index=True)


def drawn(kind, names, size="screen"):
    """Return a figure of protocols with these names."""
    found = runs()
    if kind == "failures":
        pairs = [[one for one in found["cells"] if one.protocol == design] for design in DESIGNS[:2]]
        cells = [one._replace(protocol=name) for at, name in enumerate(names) for one in pairs[at % 2]]
        return figures.failures(cells, size=size)
    if kind == "skew":
        own = [[one for one in found["skew"] if one.protocol == design] for design in DESIGNS]
        table = [one._replace(protocol=name) for at, name in enumerate(names) for one in own[at % len(own)]]
        return figures.skew(table, size=size)
    if kind == "verdict":
        shown = found["verdict"]
        labels = list(shown.cells)
        by_name = {name: labels[at % len(labels)] for at, name in enumerate(names)}
        own = ({name: some[label] for name, label in by_name.items()} for some in (shown.asked, shown.cells))
        return figures.verdict(Page(*own), size=size)
    if kind == "growth":
        table = renamed(found["vcpus"], names)
        return figures.growth(table, "state_bytes", "migration state", note=figures.carried(table), size=size)
    if kind == "features":
        features = [feature.name for feature in choose()]
        return figures.feature_growth(renamed(found["count"], names), "exits", "exits", features, size=size)
    draw = {"guest_memory": figures.guest_memory, "state": figures.migration_state, "fates": figures.fates,
            "exits": figures.exits_by_class}[kind]  # fmt: skip
    return draw(renamed(found["events"], names), size=size)
