"""``python -m workbench`` is the command ``workbench``."""

import signal
import sys


def run() -> None:
    """Run the command line and exit with its status."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C while modules are loaded ends it, without a traceback
    from workbench.cli import main

    sys.exit(main())


if __name__ == "__main__":
    run()
