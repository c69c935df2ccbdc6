"""Runs one sequence on both sides, compares the answers, and shrinks a divergence on fresh machines."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from workbench.core import contracts
from workbench.core.replay_target import Engine
from workbench.fuzz import exclusions
from workbench.fuzz import known as known_divergences
from workbench.fuzz.compare import Divergence, Verdict, compare
from workbench.fuzz.runners import Answers, Pool, opener, simulate
from workbench.fuzz.shrink import shrink
from workbench.replay.grammar import Operation

#: Makes the simulated protocol, given the mitigations that make it behave like this kernel.
ProtocolOf = Callable[[Sequence[str]], contracts.Protocol]


class Small(NamedTuple):
    """A shrunk divergence."""

    operations: Sequence[Operation]
    divergence: Divergence
    fresh: bool  #: shown by machines that were never used; False: shown only by a used machine


class Bench:
    """Both sides, ready for sequences. A context manager: leaving it closes all VMs."""

    def __init__(
        self,
        simulator: Engine,
        real: Engine,
        protocol_of: ProtocolOf,
        kvms_own: Callable[[], contracts.Protocol],
    ) -> None:
        """``protocol_of`` makes what the simulator runs, ``kvms_own`` the protocol whose host side is KVM itself."""
        self._open_real = opener(real, kvms_own)
        self.known = known_divergences.shown(known_divergences.load(), self._open_real)
        mitigations = self.known.mitigations
        self._open_simulated = opener(simulator, lambda: protocol_of(mitigations), straight=True)
        listed = exclusions.load()
        self.excluded = exclusions.applying(listed, self._open_simulated, self._open_real)
        self.left_out = exclusions.LeftOut(listed, [one.name for one in self.excluded])
        self.known = replace(self.known, left_out=self.left_out)
        self._pool = Pool(self._open_real)

    def __enter__(self) -> "Bench":
        return self

    def __exit__(self, *error: object) -> None:
        self._pool.close()

    def judge(self, operations: Sequence[Operation], *, fresh: bool = False) -> Verdict:
        """Run a sequence on both sides and compare; ``fresh``: on VMs that were never used."""
        simulated = simulate(self._open_simulated, operations)
        real = self._pool.carry_out(operations, fresh=fresh)
        return compare(operations, simulated, real, self.known)

    def on_kvm(self, operations: Sequence[Operation]) -> Answers:
        """Run a sequence on KVM alone."""
        return self._pool.carry_out(operations)

    def make_small(self, operations: Sequence[Operation], found: Divergence) -> Small:
        """Return the smallest sequence found that shows a divergence like ``found``."""

        def shows(tried: Sequence[Operation]) -> bool:
            divergence = self.judge(tried, fresh=True).divergence
            return divergence is not None and divergence.kind == found.kind

        if not shows(operations):
            return Small(operations, found, fresh=False)
        small = shrink(operations, shows)
        divergence = self.judge(small, fresh=True).divergence
        return Small(small, divergence or found, fresh=True)
