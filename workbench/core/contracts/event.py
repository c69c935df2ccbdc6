"""The contract of a lifecycle event: something that happens to a guest of a given scenario."""

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

from workbench.core.contracts.feature import Feature
from workbench.core.scenario import Scenario
from workbench.core.steps import Program


class Event:
    """One lifecycle event; ``setup`` and ``happen`` yield the steps of ``workbench.core.event_steps``.

    Subclasses are in small files in ``lifecycle/``; most of them derive from ``lifecycle.event.AfterBoot``.
    """

    name: ClassVar[str]
    title: ClassVar[str]  #: a few words for tables
    group: ClassVar[str] = "other events"  #: what it stands under where events are listed in groups
    min_vcpus: ClassVar[int] = 1
    new_kernels: ClassVar[int] = 0  #: how many kernels follow the one that runs when it begins (kexec, crash: 1)
    restores: ClassVar[bool] = False  #: a VMM restores saved state in it, so that it matters which VMM that is
    takes_down: ClassVar[bool] = False  #: the last vCPU is down afterwards, so that a later event can bring it up

    def applies(self, scenario: Scenario) -> bool:
        """Tell whether this event can happen in ``scenario``; if not, it is not run there."""
        return scenario.vcpus >= self.min_vcpus

    def concerns(self, features: Sequence[Feature]) -> bool:
        """Tell whether the event is about any of ``features``; the default sizes of the matrix leave out all others."""
        return True

    def adapt(self, scenario: Scenario) -> Scenario:
        """Return ``scenario``, changed as this event requires (an older host, another ABI ...)."""
        return scenario

    def setup(self, scenario: Scenario) -> Program:
        """The steps before the event, which are not measured. Default: none."""
        return
        yield

    def happen(self, scenario: Scenario) -> Program:
        """The steps of the event itself, which are measured."""
        raise NotImplementedError(f"{type(self).__name__}.happen must be written")
        yield

    def leaves(self, scenario: Scenario) -> Scenario:
        """Return ``scenario`` as an event that follows finds it. Default: with the kernel that runs then."""
        return replace(scenario, kernel=scenario.kernel + self.new_kernels)

    def __repr__(self) -> str:
        return f"<event {self.name}>"
