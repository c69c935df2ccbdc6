"""Batches of vCPUs that run the same program at different addresses, simulated in one run.

The package can be removed: the simulator uses only ``AtOnce``, in one place. The plain loop that it replaces,
``in_turn`` in ``workbench.engines.simulate.turns``, gives the same results but is slower.
Why it is sound: docs/decisions/0003; what it saves: 0006.
"""

from workbench.engines.simulate.lanes.machine import AtOnce

__all__ = ["AtOnce"]
