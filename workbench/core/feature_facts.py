"""Small values by which a feature states facts of itself that need no program (see ``contracts.Feature``)."""

from typing import NamedTuple


class Compared(NamedTuple):
    """How the payload on two hosts can be compared: fields by their names; what is not named must be equal.

    Two hosts write the same areas on the same occasions, but not the same numbers.
    """

    version: str | None = None  #: odd while a host writes (u32): the hosts agree on when it moves
    free: tuple[str, ...] = ()  #: clocks and counters: may differ at any time
    rewritten: tuple[str, ...] = ()  #: padding that every update overwrites: differs while one host alone has written
    mailbox: str | None = None  #: filled when the guest has taken what was there: equal once the vCPU has entered


class Hidden(NamedTuple):
    """What Linux keeps of a feature beside its register's value: read in the source, not measured."""

    state: str
    avoided: str  #: how a migration does without it
    source: str
