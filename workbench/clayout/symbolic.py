"""Values that stand for many at once: what a layout asks of an engine that runs many vCPUs as one.

A layout packs numbers and unpacks bytes. Handed one of these, it leaves the work to the value itself, and the
result is a value of the same sort. There are none in this package; see ``workbench.engines.simulate.lanes``.
"""

from typing import Any, Never


class SymbolicNumber:
    """Stands where a program expects an int."""

    __slots__ = ()

    def packed(self, kind: Any) -> Any:
        """Return what stands for the bytes of this number as a Scalar ``kind``."""
        raise NotImplementedError

    def filled(self, layout: Any, fields: dict[str, Any]) -> Any:
        """Return what stands for a Value of ``layout`` with ``fields``, of which this number is one."""
        raise NotImplementedError

    def refuse(self, *_: Any) -> Never:
        """Give up, because there is no one answer for all."""
        raise NotImplementedError


class SymbolicBytes:
    """Stands where a program expects bytes."""

    __slots__ = ()

    def unpacked(self, kind: Any) -> Any:
        """Return what stands for the value of these bytes as a Scalar or a Layout ``kind``."""
        raise NotImplementedError
