"""A made-up event: the VMM stops all vCPUs for a while and resumes them; no state is lost."""

from workbench.design import AfterBoot, Program, Scenario, enter_all


class SleepyVmm(AfterBoot):
    """Every vCPU leaves the guest, and enters it again."""

    name = "sleepy-vmm"
    title = "VMM sleeps for a while"

    def happen(self, scenario: Scenario) -> Program:
        """Every vCPU enters the guest again."""
        yield from enter_all(scenario)
