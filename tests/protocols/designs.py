"""What the tests of the shipped designs share: a bench with the features of a design's own ABI, small explorations."""

from tests.protocols.bench import bench_of
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.measure.exploration.explore import Question, explore_question
from workbench.measure.variants import Variant, features_of
from workbench.protocols import FIRST, PROTOCOLS

#: The designs of other hypervisors, and those that are proposed.
DESIGNS = {name: kind for name, kind in PROTOCOLS.items() if name not in FIRST}


def bench(kind, **more):
    """Return a bench of ``kind`` with its own features; ``more``: as for ``bench_of``."""
    return bench_of(kind, features=more.pop("features", kind.own_features or None), **more)


def failing(kind, event, features=None, vcpus=1, mitigations=()):
    """Return the names of the properties that fail."""
    one = Variant.of(kind, mitigations)
    wanted = choose(features) if features else features_of(one)
    question = Question(one, EVENTS[event], wanted, max(vcpus, EVENTS[event].min_vcpus))
    return {finding.name for finding in explore_question(question).result.findings}
