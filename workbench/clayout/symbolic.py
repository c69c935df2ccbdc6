"""Base classes of symbolic values: one object that stands for the values of many vCPUs at once.

A layout packs numbers and unpacks bytes. For a symbolic value it calls the methods below instead, and the result is
again symbolic. The implementations are in ``workbench.engines.simulate.lanes``.
"""

from typing import Any, Never


class SymbolicNumber:
    """A symbolic value used where a program expects an int."""

    __slots__ = ()

    def packed(self, kind: Any) -> Any:
        """Return the symbolic bytes of this number as a Scalar ``kind``."""
        raise NotImplementedError

    def filled(self, layout: Any, fields: dict[str, Any]) -> Any:
        """Return the symbolic Value of ``layout`` with ``fields``, one of which holds this number."""
        raise NotImplementedError

    def refuse(self, *_: Any) -> Never:
        """Give up, because the answer is not the same for all vCPUs."""
        raise NotImplementedError


class SymbolicBytes:
    """A symbolic value used where a program expects bytes."""

    __slots__ = ()

    def unpacked(self, kind: Any) -> Any:
        """Return the symbolic value of these bytes as a Scalar or a Layout ``kind``."""
        raise NotImplementedError
