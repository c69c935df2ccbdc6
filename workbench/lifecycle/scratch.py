"""Guest memory that no kernel of the scenario uses: where odd registrations are aimed.

RAM below 1 MiB is left to firmware (``workbench.core.address_map``); two pages of it for each target.
"""

from workbench.core.contracts import Feature
from workbench.core.memory import PAGE_SIZE

SCRATCH = 0x1_0000
TARGET_PAGES = 2


def target(index: int) -> int:
    """Return the gpa of the first of the pages of target ``index``."""
    return SCRATCH + index * TARGET_PAGES * PAGE_SIZE


def crossing(index: int, feature: Feature) -> int:
    """Return a gpa in target ``index`` at which half of the area lies on each of two pages."""
    return target(index) + PAGE_SIZE - feature.size // 2
