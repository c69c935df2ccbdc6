"""Which vCPUs of a machine can be exchanged, and what an exchange does to its states and programs.

A box: ``workbench.engines.explore.vm.explore`` calls ``explore_exchanging`` where symmetry is asked for; where that
answers None, it explores every state (docs/decisions/0004 and 0006).
"""

from workbench.engines.explore.vm.symmetry.search import explore_exchanging

__all__ = ["explore_exchanging"]
