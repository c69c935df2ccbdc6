"""Symmetry reduction: states that differ only by exchanging interchangeable vCPUs are represented by one of them.

The package can be removed: ``workbench.engines.explore.api`` makes a ``SymmetryReduction`` and passes it to the engines
as a reduction. If it raises SymmetryError, the machine is explored without it, with the same verdicts but more slowly
(docs/decisions/0004 says why, 0006 by how much).
"""

from workbench.engines.explore.symmetry.reduction import SymmetryReduction

__all__ = ["SymmetryReduction"]
