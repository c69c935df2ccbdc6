"""States that differ only by exchanging what is interchangeable, represented by one of them.

A box: ``workbench.engines.explore.api`` makes a ``SymmetryReduction`` and hands it to the engines as what they know, a
reduction. Where that raises SymmetryError, a machine is explored state by state: the same verdicts, later
(docs/decisions/0004 says why, 0006 by how much).
"""

from workbench.engines.explore.symmetry.reduction import SymmetryReduction

__all__ = ["SymmetryReduction"]
