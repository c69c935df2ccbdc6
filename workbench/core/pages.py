"""The pages of guest memory: bytes by page frame number; a page exists once it is written, and is zero before.

A page of the host may lie over a page of the guest (an overlay page), which is kept until it is uncovered. Nothing here
knows where memory is, or who may access it: see ``workbench.core.memory``.
"""

from collections.abc import Iterable

PAGE_SIZE = 4096
PAGE_SHIFT = 12
OFFSET_MASK = PAGE_SIZE - 1


class Pages:
    """Pages by frame number (gpa >> 12), those of the host included; ``under``: the guest's pages under them."""

    def __init__(self) -> None:
        self.present: dict[int, bytearray] = {}
        self.under: dict[int, bytearray | None] = {}

    def page(self, frame: int) -> bytearray:
        """Return a page itself, for reading and writing."""
        page = self.present.get(frame)
        if page is None:
            page = self.present[frame] = bytearray(PAGE_SIZE)
        return page

    def read(self, gpa: int, size: int) -> bytes:
        """Return a copy of ``size`` bytes at ``gpa``."""
        offset = gpa & OFFSET_MASK
        if offset + size <= PAGE_SIZE:
            page = self.present.get(gpa >> PAGE_SHIFT)
            return bytes(page[offset : offset + size]) if page is not None else bytes(size)
        return b"".join(self.read(at, length) for at, length in pieces(gpa, size))

    def write(self, gpa: int, data: bytes) -> None:
        """Write ``data``, which may cross pages."""
        for at, length in pieces(gpa, len(data)):
            offset, done = at & OFFSET_MASK, at - gpa
            self.page(at >> PAGE_SHIFT)[offset : offset + length] = data[done : done + length]

    def rows(self, frames: range, offset: int, size: int) -> list[bytes]:
        """Return the ``size`` bytes at ``offset`` of each page."""
        if self.present.keys().isdisjoint(frames):
            return [bytes(size)] * len(frames)
        blank, end = bytes(PAGE_SIZE), offset + size
        return [bytes(self.present.get(frame, blank)[offset:end]) for frame in frames]

    def drop(self, frames: range) -> None:
        """Forget the pages of ``frames``, and what lies under them."""
        for pages in (self.present, self.under):
            for frame in among(frames, pages):
                del pages[frame]

    def move(self, frames: range, by: int) -> None:
        """Move the pages of ``frames`` by a number of frames; pages of the host over them go."""
        for frame in among(frames, self.under):
            self.uncover(frame)
        moved = {frame + by: self.present.pop(frame) for frame in among(frames, self.present)}
        self.present.update(moved)

    def cover(self, frame: int) -> None:
        """Put a page of zeros of the host over a page that is not covered."""
        self.under[frame] = self.present.pop(frame, None)

    def uncover(self, frame: int) -> None:
        """Take the host's page away from a page that is covered."""
        self.present.pop(frame, None)
        page = self.under.pop(frame)
        if page is not None:
            self.present[frame] = page


def pieces(gpa: int, size: int) -> Iterable[tuple[int, int]]:
    """Yield (gpa, size) of the parts of [gpa, gpa + size) that lie in one page each."""
    end = gpa + size
    while gpa < end:
        length = min(end - gpa, PAGE_SIZE - (gpa & OFFSET_MASK))
        yield gpa, length
        gpa += length


def among(frames: range, some: Iterable[int]) -> set[int]:
    """Return those of ``some`` page frames that are in ``frames``."""
    return {frame for frame in some if frame in frames}
