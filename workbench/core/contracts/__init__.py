"""The contracts of the three things that a user of the workbench writes: a protocol, a feature, a lifecycle event.

A scenario combines them; they are independent of each other. A feature defines the *content* of an area, a protocol
how the host *learns of* an area and forgets it, an event (``contracts.event``) what *happens* to a guest. Their
programs are generators of steps (``workbench.core.steps``) and do not depend on an engine.
"""

from workbench.core.contracts.feature import Bound, Compared, Counted, Feature, Hidden, Update
from workbench.core.contracts.protocol import ControlBits, Protocol, StateEntry

__all__ = ["Bound", "Compared", "ControlBits", "Counted", "Feature", "Hidden", "Protocol", "StateEntry", "Update"]
