"""Live migration in rounds (pre-copy): memory is sent while the guest runs, then what the dirty log names.

QEMU stops the vCPUs, reads their registers, reads the log for the last time, and sends the pages that it names; its own
writes are in a log of its own (migration/migration.c, migration_completion; migration/ram.c, migration_bitmap_sync). A
VMM may do less. cloud-hypervisor once had no log of its own (issue 2458, "Track dirty page writes from the VMM for live
migration"). And one that reads the last log before it reads the registers, or at the same time, relies on KVM not to
write guest memory for that (Linux 118964562969, "Mark a vCPU as preempted/ready iff it's scheduled out while running").
"""

from typing import Any, ClassVar

from workbench.core.event_steps import HostCall, OnHost, Pause, Resume, SendDirty, SendMemory, Start, WaitAll
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.lifecycle.event import ENDED, boot_all, enter_all
from workbench.lifecycle.linux import LinuxKernel
from workbench.lifecycle.migrate import Migration, arrive, save_on


class MigrateDirtyLog(Migration):
    """Everything is sent, then what was written meanwhile, twice: while the vCPUs run, and when they have stopped.

    Meanwhile the last vCPU comes up and registers its areas, so that host and VMM write what no round has sent.
    """

    name = "migrate-dirty-log"
    title = "migration, memory in rounds"

    own_log: ClassVar[bool] = True  #: the VMM also sends what it has itself written
    log_first: ClassVar[bool] = False  #: it reads the last log before it reads the registers

    def setup(self, scenario: Scenario) -> Program:
        """Every vCPU boots but the last."""
        yield from boot_all(scenario, without=scenario.vcpus - 1)

    def happen(self, scenario: Scenario) -> Program:
        yield WaitAll(tuple(range(scenario.vcpus)))
        yield SendMemory(self.own_log)
        yield Start(scenario.vcpus - 1, LinuxKernel(scenario).boot)
        yield SendDirty()
        yield from enter_all(scenario)
        yield Pause()
        saved = yield from self.stopped(scenario)
        if (yield from arrive(scenario, saved, changes=self.changes)) is ENDED:
            return ENDED
        yield Resume()
        yield from enter_all(scenario)
        return None

    def stopped(self, scenario: Scenario) -> Program:
        """All vCPUs have stopped: read their registers and the last log; return what was saved."""
        saving = OnHost(0, HostCall(save_on, (scenario,)))
        saved: tuple[Any, ...] = ()
        if not self.log_first:
            saved = yield saving
        yield SendDirty(last=True)
        if self.log_first:
            saved = yield saving
        return saved


class MigrateKvmLog(MigrateDirtyLog):
    """The VMM reads KVM's log, and keeps none of its own writes."""

    name = "migrate-kvm-log"
    title = "the same, by KVM's log alone"
    own_log = False


class MigrateLogFirst(MigrateDirtyLog):
    """The VMM reads the last log, and then the registers."""

    name = "migrate-log-first"
    title = "the same, last log before registers"
    log_first = True
