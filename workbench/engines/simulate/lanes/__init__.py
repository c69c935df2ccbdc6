"""Many vCPUs at once: vCPUs that do the same thing at other addresses run as one.

A box: ``AtOnce`` is all that the simulator uses of it, in one place. The plain loop that it stands for, ``in_turn``
in ``workbench.engines.simulate.turns``, gives the same results, later.
Why it is sound: docs/decisions/0003; what it saves: 0006.
"""

from workbench.engines.simulate.lanes.machine import AtOnce

__all__ = ["AtOnce"]
