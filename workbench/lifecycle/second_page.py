"""An area that crosses a page, and what may become of its second page: it goes, comes back, is read-only, or moves.

The two pages belong to two memslots. A host that looks at the first page only, or at both only when the area is
registered, finds the second one gone, or another one in its place. KVM: kvm_gfn_to_hva_cache_init (virt/kvm/kvm_main.c)
checks that all pages of an area are there, keeps no mapping of one that has several, and leaves each write to
kvm_write_guest, which goes page by page; virt/kvm/pfncache.c refuses such an area (CVE-2013-1796 is what came before).
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from workbench.core.contracts import Feature
from workbench.core.event_steps import AddMemslot, DeleteMemslot, Enter, MoveMemslot, Start, Wait
from workbench.core.memory import PAGE_SIZE
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu
from workbench.lifecycle.hostile import Hostile, HostileKernel

#: How far a page is moved: to where nothing else is.
FAR = 0x10_0000


class SecondPage(Hostile):
    """vCPU 0 registers each area across two pages; then something happens to every second one."""

    def concerns(self, features: Sequence[Feature]) -> bool:
        """An area that is not larger than its alignment crosses no page."""
        return any(feature.size > feature.align for feature in features)

    def adapt(self, scenario: Scenario) -> Scenario:
        """Two memslots of a page for each feature; the host may refuse an area that crosses from one to the other."""
        return replace(super().adapt(scenario), pairs=len(scenario.features))

    def place(self, scenario: Scenario, cpu: Vcpu, index: int, feature: Feature) -> int:
        """Return a gpa at which half of the area lies on the second page of a pair."""
        return scenario.second_page(index) - feature.size // 2

    def shared(self, scenario: Scenario) -> tuple[int, ...]:
        """All pages of the pairs."""
        second = (scenario.second_page(index) for index in range(scenario.pairs))
        return tuple(gpa for page in second for gpa in (page - PAGE_SIZE, page))

    def happen(self, scenario: Scenario) -> Program:
        yield Start(0, HostileKernel(scenario, event=self).attack)
        yield Wait(0)
        yield Enter(0)
        yield from tuple(self.changes(scenario))
        yield Enter(0)

    def changes(self, scenario: Scenario) -> Iterator[object]:
        """Yield what becomes of the second pages, as steps of the event."""
        for index in range(scenario.pairs):
            yield from self.change(scenario.second_page(index))

    def change(self, page: int) -> Iterator[object]:
        """Yield what becomes of one page."""
        raise NotImplementedError(f"{type(self).__name__}.change must be written")


class SecondPageGone(SecondPage):
    """The VMM deletes the memslot of the second page."""

    name = "second-page-gone"
    title = "an area's second page is unplugged"

    def change(self, page: int) -> Iterator[object]:
        """The page goes."""
        yield DeleteMemslot(page)


class SecondPageReturns(SecondPage):
    """The VMM deletes the memslot of the second page, and later adds one of fresh memory."""

    name = "second-page-returns"
    title = "a second page goes and returns"

    def changes(self, scenario: Scenario) -> Iterator[object]:
        """All pages go, the vCPU enters the guest, and all come back."""
        pages = tuple(scenario.second_page(index) for index in range(scenario.pairs))
        yield from map(DeleteMemslot, pages)
        yield Enter(0)
        yield from (AddMemslot(page, PAGE_SIZE) for page in pages)


class SecondPageReadOnly(SecondPage):
    """The memslot of the second page becomes read-only; for KVM that is another memslot."""

    name = "second-page-read-only"
    title = "a second page turns read-only"

    def change(self, page: int) -> Iterator[object]:
        """The page is replaced."""
        yield DeleteMemslot(page)
        yield AddMemslot(page, PAGE_SIZE, readonly=True)


class SecondPageMoves(SecondPage):
    """The memslot of the second page moves to another address, with what the host wrote there."""

    name = "second-page-moves"
    title = "an area's second page is moved"

    def change(self, page: int) -> Iterator[object]:
        """The page moves."""
        yield MoveMemslot(page, page + FAR)
