"""Other readings of what the 2011 patch leaves open, each a switch of ``generic``.

The header patch and its review are all of the series that could be consulted here. Its other patches (hypervisor side,
an ioctl for areas that user space serves, guest side) were posted to the same lists on 24 January 2011 and would settle
these clauses (docs/decisions/0002). Who has them sets what they say: ``generic+refuse-second``. Of the mitigations of
``generic`` some are readings as well: ``pending-result`` (R2), ``copy-once`` (R10), ``carry-registry`` (R15).
"""

from types import MappingProxyType
from typing import NamedTuple

#: With ``vector-register``: the register of the vector, where KVM has ASYNC_PF_INT since 2020.
VECTOR_MSR = 0x4B56_4D06


class Reading(NamedTuple):
    """A reading that is not ours: its clause, what it says, and the patches of the series that would decide."""

    clause: str
    says: str
    settled_by: str


HYPERVISOR, GUEST, IOCTL = "the hypervisor side", "the guest side", "the ioctl for user space"
BOTH = f"{HYPERVISOR}; {GUEST}"

ALL_READINGS: dict[str, Reading] = {
    "success-is-one": Reading("R9", "result 1 is success; 0 is what no host has written", BOTH),
    "copy-once": Reading("R10", "the host reads the descriptor once and uses its copy", HYPERVISOR),
    "unreadable-ignored": Reading("R11", "a descriptor that cannot be read is ignored, without #GP", HYPERVISOR),
    "unchecked-base": Reading("R12", "base is not looked up at registration, only written to later", HYPERVISOR),
    "refuse-second": Reading("R13", "a second registration of a type is refused (EBUSY)", HYPERVISOR),
    "never-revoked": Reading("R14", "size 0 is an error like any other; nothing revokes", BOTH),
    "user-carries-its-own": Reading("R15", "user space carries the areas that it serves, and only these", IOCTL),
    "own-layout": Reading("R16", "the host reads the layout of the guest's ABI", HYPERVISOR),
    "vector-register": Reading("R17", "the guest first writes the vector to a register of its own", BOTH),
    "refuse-unknown-types": Reading("R18", "user space refuses types that it does not serve (EINVAL)", IOCTL),
}

#: Those that are no mitigations.
READINGS = MappingProxyType(
    {name: f"{one.says} ({one.clause})" for name, one in ALL_READINGS.items() if name != "copy-once"}
)
