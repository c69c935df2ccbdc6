"""The bench that these tests use: a machine under one protocol, with all features unless some are named."""

from workbench.engines.simulate.by_hand import Bench
from workbench.features import choose


def bench_of(kind, *, mitigations=(), features=None, **machine):
    """Return a bench of the protocol ``kind``; ``machine`` are keyword arguments of `Bench`."""
    return Bench(kind(choose(features), mitigations), **machine)
