"""``python -m workbench`` is the command ``workbench``."""

import os
import signal
import sys


def run() -> None:
    """Run the command line and exit with its status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are loaded ends it, without a traceback
    from workbench import cli

    status = cli.main()
    if cli.without_memory:
        os._exit(status)
    sys.exit(status)


if __name__ == "__main__":
    run()
