"""The program of a worker process (``pool``): answers pieces of work until there are no more.

Run as ``python worker.py CONNECTION ERRORS``, two descriptors. The rules kept here: a worker ends as soon as its parent
is gone, whatever it does then; it fails by an answer, never by a traceback; and what the interpreter and libraries
print of their own failure goes to a file of its parent's, not to the terminal, as what authors' programs print does.
"""

import os
import pickle
import runpy
import select
import sys
import threading
from multiprocessing.connection import Connection
from types import ModuleType
from typing import Any

_NO_MEMORY = pickle.dumps((False, MemoryError()))  # made while there is some


def main(connection: Connection, errors: int) -> None:
    """Receive how to begin, then pieces; answer each with (whether it went well, its value or exception)."""
    try:
        sys.path[:], script = connection.recv()
        threading.Thread(target=_end_with_parent, args=[connection.fileno()], daemon=True).start()
        if script is not None:
            _run_again(script)
        begin, arguments = connection.recv()
        with begin(*arguments) as (hello, work):
            sys.stderr = os.fdopen(errors, "w", buffering=1, errors="backslashreplace")
            connection.send((True, hello))
            while (piece := connection.recv()) is not None:
                connection.send_bytes(_answer(work, piece))
    except (EOFError, ConnectionError):
        return  # the parent is gone: nothing to report to
    except BaseException as error:  # noqa: BLE001 - the parent tells it
        connection.send_bytes(failed(error))
        os._exit(1)  # what is left to do may fail too, where memory is lacking


def _answer(work: Any, piece: Any) -> bytes:
    try:
        return pickle.dumps((True, work(piece)))
    except BaseException as error:  # noqa: BLE001 - the parent raises it
        return failed(error)


def failed(error: BaseException) -> bytes:
    """Return the answer that an exception is; one that cannot travel goes as another one with its text."""
    try:
        if isinstance(error, MemoryError):
            return _NO_MEMORY
        pickle.loads(answer := pickle.dumps((False, error)))
        return answer
    except MemoryError:
        return _NO_MEMORY
    except Exception:  # noqa: BLE001 - whatever its class does
        return pickle.dumps((False, RuntimeError(f"{type(error).__name__}: {error}")))


def _run_again(script: str) -> None:
    """Run the parent's script under another name, so that its classes are found here."""
    from workbench.durable import pool

    pool.runs_again = script
    module = ModuleType("__mp_main__")
    vars(module).update(runpy.run_path(script, run_name="__mp_main__"))
    sys.modules["__main__"] = sys.modules["__mp_main__"] = module


def _end_with_parent(connection: int) -> None:
    """Exit when the other end of the connection is closed, which the kernel does when the parent ends."""
    poll = select.poll()
    poll.register(connection, select.POLLRDHUP)
    poll.poll()
    os._exit(1)


if __name__ == "__main__":
    main(Connection(int(sys.argv[1])), int(sys.argv[2]))
