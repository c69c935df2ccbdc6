"""Ghosts about content: what stands in an area, when an update was due, and what a refused call has changed.

They are recorded like the other ghosts (``workbench.checking.ghosts``). Those of single vCPUs are tuples of names or
entries that are empty again as soon as the call, or the update, is over.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Iterator
from typing import Any

from workbench.checking.frozen_clock import prepared
from workbench.checking.ghosts import GHOST_KINDS, Ghost, Watch
from workbench.clayout.layout import Abi
from workbench.core.address_map import DESCRIPTOR
from workbench.core.contracts import Feature
from workbench.core.host_state import DERIVED, VM, Key, area, pending
from workbench.core.outcome import REFUSED
from workbench.core.scenario import Scenario, believes

WENT_BACK = Ghost("host let a counter go back that the guest could read")
OVERWRITTEN = Ghost("host overwrote an event that the guest had not taken")
CHANGED_THOUGH_REFUSED = Ghost("host refused a call and had changed its state")
ANSWERED_EARLY = Ghost("host changed its state after it had written the answer")
#: The ghosts about content that are never reset; each is a tuple of names.
CONTENT_GHOSTS = (WENT_BACK, OVERWRITTEN, CHANGED_THOUGH_REFUSED, ANSWERED_EARLY)


def changed(cpu: int) -> Ghost:
    """The registration state that the handler of vCPU ``cpu``'s exit has changed: (key, value before) each."""
    return Ghost("changed in this call", cpu)


def answered(cpu: int) -> Ghost:
    """Whether the handler of vCPU ``cpu``'s exit has written into a descriptor (a tuple: of one name, or empty)."""
    return Ghost("answered in this call", cpu)


def overdue(cpu: int) -> Ghost:
    """The features whose update was due when vCPU ``cpu`` was entered, and has not been made since (names)."""
    return Ghost("due at the entry and not made", cpu)


def made(cpu: int) -> Ghost:
    """The features of which an update was made while it was due for vCPU ``cpu``, and still counts as due (names)."""
    return Ghost("made and still due", cpu)


def unwritten(cpu: int) -> Ghost:
    """The features whose update is made on request, and whose area this host has not written yet (names).

    It is noted when a handler serves an area that stands as the guest has prepared it, and for every area that the
    guest believes in when the machine arrives on another host.
    """
    return Ghost("not written yet by this host", cpu)


#: The ghosts of one vCPU.
OF_A_VCPU = (changed, answered, overdue, made, unwritten)


def is_registration(key: Hashable) -> bool:
    """Tell whether a key names registration state, or the place where the host serves an area."""
    if not isinstance(key, Key) or key.kind in GHOST_KINDS:
        return False
    return key.kind == "area" or key.kind not in DERIVED


def field_at(feature: Feature, name: str) -> tuple[int, int]:
    """Return (offset, size) in bytes of a field of the feature's payload."""
    layout = feature.payload.on(Abi.X86_64)
    return layout.offset_of(name), next(field.type.size for field in layout.fields if field.name == name)


class ContentWatch(Watch):
    """Records the ghosts about content besides all others; ``peek(gpa, size)`` reads guest memory, unseen."""

    def __init__(
        self,
        scenario: Scenario,
        get: Callable[[Hashable], Any],
        put: Callable[[Hashable, Any], None],
        peek: Callable[[int, int], bytes | None],
    ) -> None:
        super().__init__(scenario, get, put)
        self._peek = peek
        supported = scenario.supported()
        self._requested = [feature for feature in supported if feature.update_when == "request"]
        self._with_events = [feature for feature in supported if feature.compared and feature.compared.mailbox]
        self._fields = [(feature, name, ghost) for feature in supported for name, ghost in _watched(feature)]

    # -- stores ------------------------------------------------------------------------------------------

    def host_writes(self, gpa: int, data: bytes) -> None:
        """The host is about to write ``data``: compare it with what stands there."""
        for feature, name, ghost in self._fields:
            offset, size = field_at(feature, name)
            for owner in self.scenario.owners(feature):
                believed = self._get(believes(owner, feature.name))
                at = None if believed is None else believed + offset - gpa
                if at is not None and at >= 0 and at + size <= len(data):
                    self._compare(feature, ghost, gpa + at, data[at : at + size])
        for feature in (*self._requested, *self._with_events):
            self._made(feature, gpa)

    def _compare(self, feature: Feature, ghost: Ghost, gpa: int, data: bytes) -> None:
        found = self._peek(gpa, len(data))
        before, after = int.from_bytes(found or b"", "little"), int.from_bytes(data, "little")
        if after < before if ghost is WENT_BACK else before not in (0, after):
            self._note(ghost, feature.name)

    def _made(self, feature: Feature, gpa: int) -> None:
        for owner in self.scenario.owners(feature):
            served, believed = self._get(area(owner, feature.name)), self._get(believes(owner, feature.name))
            is_served, is_believed = (at is not None and at <= gpa < at + feature.size for at in (served, believed))
            for cpu in self._vcpus_of(owner) if is_served or is_believed else ():
                self._drop(unwritten(cpu), feature.name)
            for cpu in self._vcpus_of(owner) if is_served else ():
                self._drop(overdue(cpu), feature.name)
                if feature.update_when == "request" and self._get(pending(cpu, feature.name)):
                    self._note(made(cpu), feature.name)

    def handler_wrote(self, cpu: int, gpa: int) -> None:
        """The handler of vCPU ``cpu``'s exit wrote at ``gpa``: into a descriptor, this is its answer."""
        unit = self.scenario.unit_at(gpa)
        if unit is not None and unit.what == DESCRIPTOR:
            self._put(answered(cpu), (DESCRIPTOR,))

    # -- host entries ------------------------------------------------------------------------------------

    def host_sets(self, cpu: int | None, key: Hashable, value: Any) -> None:
        """The host is about to set an entry; ``cpu``: the vCPU whose exit it handles, None: it handles no exit."""
        if isinstance(key, Key) and key.kind == "pending":
            self._drop(made(key.cpu), key.name)
        if isinstance(key, Key) and key.kind == "area":
            self._serves(cpu, key, value)
        if cpu is None or not is_registration(key):
            return
        before = self._get(key)
        if before == value:
            return
        if self._get(answered(cpu)):
            self._note(ANSWERED_EARLY, _what(key))
        seen = dict(self._get(changed(cpu)) or ())
        seen.setdefault(key, before)
        self._put(changed(cpu), tuple((name, old) for name, old in seen.items() if name != key or old != value))

    def _serves(self, handles: int | None, key: Key, gpa: int | None) -> None:
        """The host serves an area at ``gpa`` from now on, or none: one that is new must be written by the next entry.

        One that does not stand as the guest has prepared it was written before it was served.
        """
        feature = next((one for one in self._requested if one.name == key.name), None)
        is_new = False
        if feature is not None and handles is not None and gpa is not None and gpa != self._get(key):
            is_new = self._peek(gpa, feature.size) == prepared(feature)
        for cpu in self._vcpus_of(key.cpu):
            self._drop(overdue(cpu), key.name)
            if is_new:
                self._note(unwritten(cpu), key.name)
            elif gpa is None:
                self._drop(unwritten(cpu), key.name)

    def _vcpus_of(self, owner: int) -> Iterable[int]:
        return range(self.scenario.vcpus) if owner == VM else (owner,)

    def noted(self, cpu: int, key: Hashable, value: Any) -> None:
        """The guest on ``cpu`` notes something: what it concludes from its call, or what it is about to say."""
        if isinstance(key, Key) and key.kind == "acknowledges":
            self._acknowledges(cpu, key.name)
        if not isinstance(key, Key) or key.kind not in ("asked", "refused", "believes"):
            return
        touched = self._get(changed(cpu)) or ()
        if touched and (value is REFUSED or key.kind == "refused"):
            for name, _ in touched:
                self._note(CHANGED_THOUGH_REFUSED, _what(name))
        if touched:
            self._put(changed(cpu), ())

    def begins_call(self, cpu: int) -> None:
        """The vCPU leaves the guest: its handler has neither changed nor answered anything yet."""
        for ghost in (changed(cpu), answered(cpu)):
            if self._get(ghost):
                self._put(ghost, ())

    # -- entries into the guest ----------------------------------------------------------------------------

    def enters(self, cpu: int) -> None:
        """The vCPU is about to enter the guest: what is due now must be made by this entry."""
        first = self._get(unwritten(cpu)) or ()
        due = (one.name for one in self._requested if self._is_due(cpu, one) or self._is_first(cpu, one, first))
        self._put(overdue(cpu), tuple(due))

    def _is_due(self, cpu: int, feature: Feature) -> bool:
        return self._served(cpu, feature) is not None and bool(self._get(pending(cpu, feature.name)))

    def _is_first(self, cpu: int, feature: Feature, unwritten: Collection[Hashable]) -> bool:
        return feature.name in unwritten and self._served(cpu, feature) is not None

    def _served(self, cpu: int, feature: Feature) -> Any:
        return self._get(area(VM if feature.scope == "vm" else cpu, feature.name))

    def _acknowledges(self, cpu: int, name: Hashable) -> None:
        """The guest is about to tell that it has taken an event: one that the host has for it is due now."""
        for feature in self._with_events:
            if feature.name != name or not self._is_due(cpu, feature):
                continue
            assert feature.compared is not None
            assert feature.compared.mailbox is not None
            offset, size = field_at(feature, feature.compared.mailbox)
            if not any(self._peek(self._served(cpu, feature) + offset, size) or b""):
                self._note(overdue(cpu), feature.name)

    def new_host(self) -> None:
        """The machine is on another host, which has written nothing yet."""
        for cpu in range(self.scenario.vcpus):
            self._put(overdue(cpu), ())
            self._put(made(cpu), ())
            self._put(unwritten(cpu), tuple(one.name for one in self._requested if self._is_believed(cpu, one)))

    def _is_believed(self, cpu: int, feature: Feature) -> bool:
        return self._get(believes(VM if feature.scope == "vm" else cpu, feature.name)) is not None

    # -- tuples of names -------------------------------------------------------------------------------------

    def _note(self, ghost: Ghost, name: Hashable) -> None:
        names = self._get(ghost) or ()
        if name not in names:
            self._put(ghost, tuple(sorted((*names, name))))

    def _drop(self, ghost: Ghost, name: Hashable) -> None:
        names = self._get(ghost) or ()
        if name in names:
            self._put(ghost, tuple(other for other in names if other != name))


def _watched(feature: Feature) -> Iterator[tuple[str, Ghost]]:
    yield from ((name, WENT_BACK) for name in feature.counters)
    if feature.compared is not None and feature.compared.mailbox:
        yield feature.compared.mailbox, OVERWRITTEN


def _what(key: Hashable) -> str:
    assert isinstance(key, Key)
    return f"{key.kind} {key.name:#x}" if isinstance(key.name, int) else f"{key.kind} {key.name}"
