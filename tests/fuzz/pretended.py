"""A fake KVM: a simulated machine in place of the real one, so that the fuzzer itself can be tested."""

from workbench.core.replay_target import Engine
from workbench.engines.simulate.replay_target import ENGINE, SimulatedTarget
from workbench.features import choose
from workbench.fuzz.trial import Bench
from workbench.protocols import PerFeature


class Pretended(SimulatedTarget):
    """A simulated machine with the interface that the fuzzer needs of a real one."""

    def __init__(self, spec, protocol, **how):
        self._again = (spec, protocol, how)
        super().__init__(spec, protocol, **how)

    def within(self, job):
        return job()

    def reset(self):
        spec, protocol, how = self._again
        super().__init__(spec, protocol, **how)


def bench(simulated=None, real=None, target=Pretended):
    """Return a bench whose sides run these protocols (KVM's own, if not said)."""
    kvms = lambda: PerFeature(choose())  # noqa: E731
    simulated, real = simulated or kvms, real or kvms
    return Bench(ENGINE, Engine("pretended", lambda: None, target), lambda mitigations: simulated(), real)
