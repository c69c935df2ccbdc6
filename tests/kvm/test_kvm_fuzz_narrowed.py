"""What the fuzzer once left out, it compares now: hosts that differ from KVM only there are found."""

import pytest
from fuzz_mutants import with_feature
from narrowed_mutants import FEATURES, PROTOCOLS, TARGETS

from workbench.engines.simulate.replay_target import ENGINE
from workbench.features import choose
from workbench.fuzz.generate import sequence
from workbench.fuzz.trial import Bench
from workbench.protocols import PerFeature
from workbench.replay import find_engine

pytestmark = pytest.mark.kvm
SEED, LENGTH, MOST = 99, 200, 60_000
KINDS = {kind.__name__: kind for kind in (*FEATURES, *PROTOCOLS, *TARGETS)}


def found(kind):
    """Return after how many operations the host of ``kind`` is noticed; None if it is not."""
    engine = TARGETS.get(kind, ENGINE)

    def protocol_of(mitigations):
        if kind in FEATURES:
            return with_feature(kind())
        return kind(choose()) if kind in PROTOCOLS else PerFeature(choose(), mitigations)

    with Bench(engine, find_engine("kvm"), protocol_of, lambda: PerFeature(choose())) as both:
        compared, number = 0, 0
        while compared < MOST:
            verdict = both.judge(sequence(SEED, number, LENGTH).operations)
            compared, number = compared + verdict.compared, number + 1
            if verdict.divergence is not None:
                return compared
    return None


@pytest.mark.parametrize("name", KINDS)
def test_it_is_found_where_nothing_was_compared_before(name):
    assert found(KINDS[name]) is not None


def test_the_manual_lists_each(request):
    manual = (request.config.rootpath / "docs/fuzzing.md").read_text()
    assert [kind for kind in KINDS.values() if f"| {kind.__doc__.rstrip('.')} | {kind.before} | " not in manual] == []
