"""Failures of the host's state: it grows without bound, a restore changes it, or a refused value is kept."""

from workbench.checking.facts import Facts
from workbench.checking.failures.failure import Failure
from workbench.checking.ghosts import REPLAYED, RESTORED_OTHERWISE, refused
from workbench.core.host_state import VM, register

#: More entries than this for one vCPU count as unbounded; no kernel needs so many areas.
MOST_ENTRIES = 16 + 1  # 16 areas, and the number of areas


def _bounded(facts: Facts) -> bool:
    if facts.names() <= MOST_ENTRIES:
        return True
    owners = (VM, *range(facts.scenario.vcpus))
    return all(facts.registrations(owner) <= MOST_ENTRIES for owner in owners)


def _refusal_is_forgotten(facts: Facts) -> bool:
    for cpu in range(facts.scenario.vcpus):
        for msr in sorted(facts.scenario.protocol.msrs):
            value = facts.value(refused(cpu, msr))
            if value and value == facts.value(register(cpu, msr)):
                return False
    return True


UNBOUNDED = Failure(
    "F08",
    "unbounded-state",
    "always",
    _bounded,
    what="A guest makes the host store more areas of one vCPU than any kernel needs.",
    why="It costs memory in the host and bytes in every migration, and no VMM knows how long the list can get.",
    example="A loop that registers a new type each time.",
    seen="The objection of 26 January 2011 itself; shipped designs have a fixed set (PAPR: three areas, each with its "
    "pseudo-register, Linux 55b665b0263a).",
)
RESTORE_DIFFERS = Failure(
    "F09",
    "restore-differs",
    "always",
    lambda facts: not facts.value(RESTORED_OTHERWISE),
    what="After a restore the destination holds some state, but not the same as the source.",
    why="Restoring by other rules than registering, or in another order, gives a different machine.",
    example="A register shows an address that its write did not map; the destination writes the register again.",
    seen="RISC-V fa9681ed5c6a (2026): KVM_SET_ONE_REG accepted a steal-time address that the guest's call refuses; "
    '"target/i386: Fix VM migration when interrupt based APF is enabled" (2020): EN restored before INT. '
    "Linux 6.12: ASYNC_PF_EN keeps what it refuses; refused again it ends KVM_SET_MSRS, and steal time is lost.",
    needs=frozenset({"restore"}),
)
RESTORE_REPLAYS = Failure(
    "F10",
    "restore-replays",
    "always",
    lambda facts: not facts.value(REPLAYED),
    what="Restoring writes guest memory: the side effect of a registration happens again.",
    why="The memory may hold newer data, or may have a new owner.",
    example="KVM_SET_MSRS of the wall clock's address writes twelve bytes into the guest, once for each vCPU.",
    seen="KVM_CAP_HYPERV_SYNIC2 (Linux Documentation/virt/kvm/api.rst) exists because restoring zeroed message pages; "
    "kvm_write_wall_clock runs for host writes too (arch/x86/kvm/x86.c).",
    needs=frozenset({"restore"}),
)
REMEMBERED = Failure(
    "F16",
    "refused-but-remembered",
    "always",
    _refusal_is_forgotten,
    what="The guest takes #GP, but the host keeps the value that it refused.",
    why="The value can be read back, is migrated and refused there, or takes effect as soon as memory appears.",
    example="ASYNC_PF_EN with an address outside RAM.",
    seen="afd67ee3cbbd (5.16): PV_EOI_EN; syzbot bc0e18379a290e5edfe4 (2025): ASYNC_PF_EN, Linux 6.12.",
)
