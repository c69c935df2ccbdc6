"""The three things a user of the workbench writes: a protocol, a feature, a lifecycle event.

They meet in a scenario and do not know each other: a feature says what is *in* an area, a protocol how the host
*learns of* an area and forgets it, an event (``contracts.event``) what *happens* to a guest. All their programs are
generators of steps (``workbench.core.steps``); none of them knows an engine.
"""

from workbench.core.contracts.feature import Compared, Feature, Hidden, Update
from workbench.core.contracts.protocol import Protocol, StateEntry

__all__ = ["Compared", "Feature", "Hidden", "Protocol", "StateEntry", "Update"]
