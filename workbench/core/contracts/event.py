"""The contract of a lifecycle event: what happens to a guest. It stands above the scenario in which it happens."""

from typing import ClassVar

from workbench.core.scenario import Scenario
from workbench.core.steps import Program


class Event:
    """One lifecycle event; ``setup`` and ``happen`` yield the steps of ``workbench.core.event_steps``.

    Subclasses are small files in ``lifecycle/``, most of them of ``lifecycle.event.AfterBoot``.
    """

    name: ClassVar[str]
    title: ClassVar[str]  #: a few words for tables
    min_vcpus: ClassVar[int] = 1

    def applies(self, scenario: Scenario) -> bool:
        """Tell whether this event can happen there; where it cannot, there is nothing to run."""
        return scenario.vcpus >= self.min_vcpus

    def adapt(self, scenario: Scenario) -> Scenario:
        """Return the scenario under which this event takes place (an older host, another ABI ...)."""
        return scenario

    def setup(self, scenario: Scenario) -> Program:
        """What comes before and is not measured. Default: nothing."""
        return
        yield

    def happen(self, scenario: Scenario) -> Program:
        """What happens; measured."""
        raise NotImplementedError(f"{type(self).__name__}.happen must be written")
        yield

    def __repr__(self) -> str:
        return f"<event {self.name}>"
