"""Memory that is sent in rounds, in the explorer: only what the destination has not got is a variable.

A cell of memory has a variable beside it (``Behind``) for what the destination holds of it, if that is neither what the
source holds nor going to be sent again because its page is in the log (``Dirty``). So two states that send the same
memory are one. The variables exist only in models whose event sends memory.
"""

from collections.abc import Iterator
from typing import Any

from workbench.core.pages import PAGE_SHIFT, PAGE_SIZE, pieces
from workbench.core.sent_memory import Sending, differing
from workbench.core.steps import GUEST, USER, Side
from workbench.engines.explore.view import View
from workbench.engines.explore.vm.cells import MemoryCell, MemoryCells
from workbench.engines.explore.vm.machine import ExploredMachine
from workbench.engines.explore.vm.variables import Behind, Covered, Dirty, Flag, pages

#: How memory is being sent (a Sending); None: it is not.
SENDING = Flag("sending memory")


class SentCells:
    """What the destination has of the memory in ``view``; ``is_used``: the event sends memory."""

    def __init__(self, cells: MemoryCells, view: View) -> None:
        self._cells, self._view = cells, view
        self.is_used = SENDING in cells.names

    @property
    def sending(self) -> Sending | None:
        """How memory is being sent."""
        found: Sending | None = self._view[SENDING] if self.is_used else None
        return found

    def writes(self, gpa: int, data: bytes, side: Side, logged: bool) -> None:
        """``side`` is about to write ``data`` at ``gpa``: note what the destination then does not have."""
        sending = self.sending
        if sending is None:
            return
        if side is not GUEST and not sending.host_wrote:
            self._view[SENDING] = sending._replace(host_wrote=True)
        if logged and self._is_read(sending, side):
            self.mark_dirty(gpa, len(data), side)
            return
        for at, length in pieces(gpa, len(data)):
            if not self._is_covered(at) and not self._get(Dirty(at >> PAGE_SHIFT)):
                self._falls_behind(at, data[at - gpa : at - gpa + length])

    def mark_dirty(self, gpa: int, size: int, side: Side) -> None:
        """Enter the pages of [gpa, gpa+size) in the log of ``side``: all of them is sent again."""
        sending = self.sending
        if sending is None or not self._is_read(sending, side):
            return
        for frame in pages(gpa, size):
            self._put(Dirty(frame), True)
            for cell in self._cells.within(frame << PAGE_SHIFT, PAGE_SIZE):
                self._put(Behind(*cell), None)

    def start(self, own_log: bool) -> None:
        """Begin to send: the destination has all that the source has."""
        self._put(SENDING, Sending(own_log))
        self.is_used = True

    def send_dirty(self, last: bool) -> None:
        """What is in the log is sent, and the log is clear."""
        assert self.sending is not None
        self._clear()
        self._view[SENDING] = self.sending._replace(is_over=last)

    def arrive(self) -> tuple[list[int], bool]:
        """Give memory the content that the destination has; return the gpas of bytes lost, and whether a host wrote."""
        sending = self.sending
        assert sending is not None
        lost: list[int] = []
        for name in self._known(Behind):
            sent = self._view[name]
            if sent is not None:
                lost += self._arrives(MemoryCell(name.gpa, name.size), sent)
                self._view[name] = None
        self._view[SENDING] = None
        return sorted(lost), sending.host_wrote

    def _arrives(self, cell: MemoryCell, sent: int) -> Iterator[int]:
        was, self._view[cell] = self._view[cell], sent
        contents = (value.to_bytes(cell.size, "little") for value in (sent, was))
        return differing(cell.gpa, *contents)

    def _falls_behind(self, gpa: int, data: bytes) -> None:
        at = 0
        for cell in self._cells.of(gpa, len(data)):
            value = int.from_bytes(data[at : at + cell.size], "little")
            sent = self._get(Behind(*cell))
            sent = self._view[cell] if sent is None else sent
            self._put(Behind(*cell), None if sent == value else sent)
            at += cell.size

    @staticmethod
    def _is_read(sending: Sending, side: Side) -> bool:
        """Tell whether the log of ``side`` will be read."""
        return not sending.is_over and (side is not USER or sending.own_log)

    def _is_covered(self, gpa: int) -> bool:
        name = Covered(gpa - gpa % PAGE_SIZE)
        return name in self._cells.names and bool(self._view[name])

    def _clear(self) -> None:
        for name in self._known(Dirty):
            self._view[name] = None

    def _known(self, kind: type) -> list[Any]:
        return [name for name in self._cells.names if type(name) is kind]

    def _get(self, name: Dirty | Behind) -> Any:
        self._cells.know(name)
        return self._view[name]

    def _put(self, name: Flag | Dirty | Behind, value: Any) -> None:
        self._cells.know(name)
        if self._view[name] != value:
            self._view[name] = value


class SendsMemory:
    """The part of the explorer's MachineWorld that sends memory in rounds."""

    _machine: ExploredMachine
    _view: View

    @property
    def _sent(self) -> SentCells:
        return SentCells(self._machine.cells, self._view)

    def sending(self) -> Sending | None:
        return self._sent.sending

    def send_memory(self, own_log: bool) -> None:
        self._sent.start(own_log)

    def send_dirty(self, last: bool) -> None:
        self._sent.send_dirty(last)

    def memory_arrives(self) -> None:
        """Memory that was sent in rounds becomes what was sent."""
        sent = self._sent
        if sent.sending is not None:
            self._machine.watch(self._view).memory_arrived(*sent.arrive())


__all__ = ["SENDING", "SendsMemory", "SentCells"]
