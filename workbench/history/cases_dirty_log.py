"""The cases of migrations in rounds, which lost what the host had written."""

from workbench.features import FEATURES, OTHERS
from workbench.history.broken.unlogged import PreemptedAtSave, UnloggedVpa
from workbench.history.case import READ, Case, Design
from workbench.lifecycle import EVENTS
from workbench.protocols.generic import Generic

STEAL, WATCHDOG, VPA = (FEATURES["steal_time"],), (FEATURES["watchdog"],), (OTHERS["vpa"],)
PENDING = ("pending-result",)

DIRTY_LOG_CASES = (
    Case(
        "vpa-not-logged",
        ("K24",),
        "POWER: KVM_GET_DIRTY_LOG does not show what the host writes to a VPA, and a migration leaves it behind",
        "c35635efdc03 (3.10)",
        READ,
        Design(UnloggedVpa, EVENTS["migrate-dirty-log"], VPA),
        ("F28",),
        Design(UnloggedVpa, EVENTS["migrate-dirty-log"], VPA, fixes=("report-dirty",)),
        "c35635efdc03: a flag for each area, which the log shows",
    ),
    Case(
        "preempted-at-save",
        ("K25",),
        "reading a vCPU's registers marks it preempted in steal time, after the last dirty log was read",
        "118964562969 (6.11)",
        READ,
        Design(PreemptedAtSave, EVENTS["migrate-log-first"], STEAL),
        ("F28",),
        Design(PreemptedAtSave, EVENTS["migrate-log-first"], STEAL, fixes=("wants-to-run",)),
        "118964562969: a vCPU is marked only if KVM_RUN is scheduled out",
    ),
    Case(
        "cloud-hypervisor-own-writes",
        ("V9",),
        "cloud-hypervisor: what the VMM itself writes is in no dirty log; here the answer in a descriptor",
        "cloud-hypervisor pull request 2497 (2021)",
        READ,
        Design(Generic, EVENTS["migrate-kvm-log"], WATCHDOG, fixes=PENDING),
        ("F28",),
        Design(Generic, EVENTS["migrate-dirty-log"], WATCHDOG, fixes=PENDING),
        "pull request 2497: the VMM logs its own writes, too, and sends both",
    ),
)
