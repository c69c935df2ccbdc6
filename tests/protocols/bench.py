"""The bench on which these tests try a protocol: all features unless named."""

from workbench.engines.simulate.by_hand import Bench
from workbench.features import choose


def bench_of(kind, *, mitigations=(), features=None, **machine):
    """Return a bench of the protocol ``kind``; ``machine`` is what a bench takes."""
    return Bench(kind(choose(features), mitigations), **machine)
