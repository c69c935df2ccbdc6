"""A page of the whole default matrix, with every trace: small enough for a mail, and open in less than a second.

The verdicts are those of the golden matrix; only what fails is explored again, at the size at which it fails.
"""

import csv
from itertools import groupby

import pytest

from tests.measure.golden_matrix import MATRIX
from workbench.checking.failures import FAILURES
from workbench.engines.explore import FAILS
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.cells import Cell
from workbench.measure.exploration.matrix import Size, matrix
from workbench.measure.variants import variants
from workbench.present.web import failure_map, page


def cells():
    """The golden cells, those that fail with their traces."""
    with MATRIX.open(newline="") as file:
        rows = list(csv.DictReader(file))
    found = {}
    for row in rows:
        given = {"states": int(row["states"]), "steps": int(row["steps"] or 0) or None, "vcpus": int(row["vcpus"])}
        given |= {"trace": None, "mitigations": (), "premise": 0, "violators": ()}
        found[row["protocol"], row["event"], row["property"]] = Cell(**{**row, **given})
    failing = [one for one in found.values() if one.verdict == FAILS and one.steps]
    for (protocol, event, vcpus, features), same in groupby(failing, lambda one: (*one[:2], one.vcpus, one.features)):
        failures = [FAILURES[one.property] for one in same]
        for reads in (0, 1):
            size = Size(vcpus, tuple(features.split(",")), reads)
            for one in matrix([protocol], [EVENTS[event]], failures, [size]):
                if one.trace:
                    found[one.protocol, one.event, one.property] = one
            if all(found[protocol, event, failure.code].trace for failure in failures):
                break
    return list(found.values())


@pytest.mark.slow
def test_the_page_of_the_default_matrix_is_small_and_opens_at_once(open_page):
    every = cells()
    traces = sum(one.trace is not None for one in every)
    assert traces == sum(one.verdict == FAILS and bool(one.steps) for one in every) > 50
    html = page("all", [failure_map(every, variants(dict.fromkeys(one.protocol for one in every)), [])])
    assert len(html.encode()) < 1_000_000
    opened = open_page(html)
    took = opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
    assert 0 < took < 1000
    opened.locator("button.pvw-fails").last.click()
    assert opened.locator(".pvw-opened .pvw-violated").is_visible()
    print(f"{traces} traces, {len(html.encode()) / 1024:.0f} KiB, open after {took:.0f} ms")
