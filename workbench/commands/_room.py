"""Room for NumPy: where memory is limited below what NumPy takes, that is said before it is loaded.

NumPy's linear algebra (OpenBLAS) reserves memory while it is loaded; without enough it prints a line of its own and
ends the process by exit(3), which no Python program can catch.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType

#: What loading NumPy adds to the address space with one thread, 80 MiB measured with NumPy 2.4, and something over.
BYTES = 88 << 20


class _Room:
    """Finds no module; raises MemoryError when NumPy is looked for and there is too little room.

    It does not inherit from ``importlib.abc.MetaPathFinder``, whose module takes 10 ms to load.
    """

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> None:
        if name == "numpy":
            room = bytes(BYTES)  # zeros that take address space alone: no page of them is touched
            del room


@contextmanager
def room_for_numpy() -> Iterator[None]:
    """Look, in the block, whether there is room when NumPy is imported."""
    room = _Room()
    sys.meta_path.insert(0, room)
    try:
        yield
    finally:
        sys.meta_path.remove(room)
