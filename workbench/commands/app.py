"""``workbench app``: serve the views, and forms that ask for them, to a browser, until Ctrl-C.

Each question is answered by a command line in a process of its own: it shows how far it is, and can be cancelled.
A question can name the file of a design, which is then executed with your rights. So the app listens on this machine
alone unless --host says otherwise, and answers only who has the key in the printed address.
"""

from __future__ import annotations

import argparse
import os
import sys
import webbrowser
from typing import Any

from workbench.commands import _options
from workbench.errors import WorkbenchError
from workbench.paths import NOTEBOOKS

PORT = 8850


def add(subparsers: Any) -> None:
    """Declare the command."""
    parser = _options.add_command(
        subparsers, "app", run, "the views in a browser, with forms that ask for them",
        description=__doc__, example="workbench app --open",
    )  # fmt: skip
    parser.add_argument("--host", default="127.0.0.1", metavar="HOST", help="where to listen (default %(default)s)")
    parser.add_argument("--port", type=_options.whole_number(0, 65535), default=PORT, metavar="N",
                        help="the port; 0 is any that is free (default %(default)s)")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")


def run(args: argparse.Namespace) -> int:
    """Serve until a signal ends the command."""
    from workbench.present.app import serve
    from workbench.present.app.server import LOOPBACK
    from workbench.present.progress import Progress

    if not args.host.strip():
        raise WorkbenchError("--host names no address; 127.0.0.1 is this machine alone, 0.0.0.0 every network it is in")
    if args.host not in LOOPBACK:
        Progress().note(
            f"warning: {args.host} can be reached from outside this machine, without encryption; the file "
            "of a design is a program: who has the address below can run every such file here, with your rights"
        )

    def ready(address: str) -> None:
        sys.stdout.write(f"{address}\nCtrl-C ends it.\n")
        sys.stdout.flush()
        if args.open and _has_windows():
            webbrowser.open(address)

    try:
        serve(args.host, args.port, NOTEBOOKS, ready)
    except KeyboardInterrupt as stop:
        stop.add_note("the app has ended")
        raise
    return 0


def _has_windows() -> bool:
    """Tell whether a browser would open a window; one for terminals would take this one."""
    return sys.platform == "darwin" or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))
