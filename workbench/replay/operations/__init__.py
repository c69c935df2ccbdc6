"""The operations of a replay file, by their subject: one entry each says all about an operation.

The tables are the format; docs/replay.md explains it and a test compares the two.
"""

from collections.abc import Mapping

from workbench.replay.form import Form
from workbench.replay.operations import clocks, machines, memory, migration, registers

OPERATIONS: Mapping[str, Form] = {
    **machines.FORMS,
    **memory.FORMS,
    **registers.FORMS,
    **clocks.FORMS,
    **migration.FORMS,
}
