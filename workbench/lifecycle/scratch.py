"""Guest memory that no kernel of the scenario uses: the addresses of unusual registrations.

RAM below 1 MiB is left to firmware (``workbench.core.address_map``); each target has two pages of it.
"""

from workbench.core.contracts import Feature
from workbench.core.memory import PAGE_SIZE

SCRATCH = 0x1_0000
TARGET_PAGES = 2


def target(index: int) -> int:
    """Return the gpa of the first page of target ``index``."""
    return SCRATCH + index * TARGET_PAGES * PAGE_SIZE


def crossing(index: int, feature: Feature) -> int:
    """Return a gpa in target ``index`` at which the area lies half on one page and half on the next."""
    return target(index) + PAGE_SIZE - feature.size // 2
