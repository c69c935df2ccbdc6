"""The fates in single events, each with its reason.

For KVM's own protocol the reasons come from Linux 6.12 (arch/x86/kvm/x86.c, lapic.c, virt/kvm/pfncache.c).
"""

from collections import Counter

import pytest

from workbench.core.host_state import VM
from workbench.core.outcome import Fate
from workbench.core.scenario import Scenario
from workbench.engines.simulate import simulate
from workbench.features import choose
from workbench.lifecycle import EVENTS
from workbench.lifecycle.hostile import HostileEndless
from workbench.protocols import PROTOCOLS

ALL = choose()
PER_VCPU = ("kvmclock", "async_pf", "pv_eoi", "steal_time")
REGISTERED, RELEASED, REFUSED = Fate.REGISTERED, Fate.RELEASED, Fate.REFUSED
LOST, SILENT, STALE = Fate.LOST, Fate.SILENT, Fate.STALE


def run_of(protocol, event, *mitigations, vcpus=3):
    return simulate(Scenario(PROTOCOLS[protocol](ALL, mitigations), ALL, vcpus=vcpus), EVENTS[event])


def words(run, owner, features=PER_VCPU):
    """Return the fates of these features of one owner, as a set."""
    return {run.fates[owner, feature] for feature in features}


def booted(run):
    """Return the fates of all areas that a guest registers at boot and its protocol can express."""
    at_boot = {feature.name for feature in ALL if feature.linux_boot is not None}
    return {f for (_, name), f in run.fates.items() if name in at_boot} - {Fate.UNSUPPORTED}


# -- coming and going ---------------------------------------------------------------------------------


@pytest.mark.parametrize("vcpus", [1, 2, 64])
def test_boot_of_linux_writes_five_registers_a_cpu_and_the_wall_clock(vcpus):
    run = run_of("per_feature", "boot", vcpus=vcpus)
    assert run.counts["wrmsr_exits"] == 5 * vcpus + 1
    assert booted(run) == {REGISTERED}


def test_a_hotplugged_cpu_costs_what_an_application_cpu_costs_at_boot():
    assert run_of("per_feature", "cpu-hotplug").counts["wrmsr_exits"] == 5
    assert run_of("generic", "cpu-hotplug").counts["wrmsr_exits"] == 4


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_an_unplugged_cpu_is_released_or_the_host_writes_into_its_reused_page(protocol):
    tidy, untidy = run_of(protocol, "cpu-unplug"), run_of(protocol, "cpu-unplug-no-teardown")
    assert (words(tidy, 2), tidy.strays) == ({RELEASED}, 0)
    assert words(untidy, 2) == {STALE}
    assert untidy.strays > 0
    assert words(untidy, 0) == words(untidy, 1) == {REGISTERED}


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_a_crash_leaves_the_areas_of_stopped_cpus_stale_and_counts_no_stray(protocol):
    """The dead kernel's memory is kept for the dump and has no new owner, so no stray; but the host still writes it."""
    run = run_of(protocol, "crash")
    assert words(run, 0) == {REGISTERED}
    assert words(run, 1) == words(run, 2) == {STALE}
    assert run.fates[VM, "wall_clock"] is REGISTERED
    assert run.strays == 0


def test_after_init_kvm_holds_only_what_belongs_to_the_vm():
    """kvm_vcpu_reset clears the vCPU's registers; WALL_CLOCK is the VM's and keeps its address."""
    run = run_of("per_feature", "init-no-reregister")
    assert words(run, 2) == {RELEASED}
    only = run_of("per_feature", "init-no-reregister", vcpus=1)
    assert words(only, 0) == {RELEASED}
    assert only.fates[VM, "wall_clock"] is STALE


def test_after_init_a_generic_host_holds_everything_unless_init_revokes():
    assert words(run_of("generic", "init-no-reregister"), 2) == {STALE}
    assert words(run_of("generic", "init-no-reregister", "init-revokes"), 2) == {RELEASED}
    assert words(run_of("generic", "init"), 2) == {REGISTERED}


@pytest.mark.parametrize("vcpus", [1, 2, 5])
def test_suspend_and_resume_write_everything_twice(vcpus):
    """Suspend: 4 writes per CPU, and polling returned on application CPUs. Resume: 5 per CPU, wall clock, polling."""
    run = run_of("per_feature", "suspend-resume", vcpus=vcpus)
    assert run.counts["wrmsr_exits"] == (4 * vcpus + vcpus - 1) + (5 * vcpus + 1 + vcpus)
    assert booted(run) == {REGISTERED}
    assert {run.fates[cpu, "poll_control"] for cpu in range(vcpus)} == {REGISTERED}


# -- hosts --------------------------------------------------------------------------------------------


def test_on_an_old_host_only_a_guest_that_checks_the_outcome_knows():
    """Every write is #GP: the generic guest concludes REFUSED; Linux ignores the #GP and believes in success."""
    assert booted(run_of("generic", "old-host")) == {REFUSED}
    assert booted(run_of("per_feature", "old-host")) == {SILENT}


def test_a_swallowed_write_looks_like_success_unless_result_was_set_before():
    """Fresh memory holds zero in result, and zero means success."""
    assert booted(run_of("generic", "ignore-msrs")) == {SILENT}
    assert booted(run_of("generic", "ignore-msrs", "pending-result")) == {REFUSED}
    assert booted(run_of("per_feature", "ignore-msrs")) == {SILENT}


def test_a_migration_carries_registers_and_loses_a_registry():
    assert booted(run_of("per_feature", "migrate")) == {REGISTERED}
    assert booted(run_of("generic", "migrate")) == {LOST}
    assert booted(run_of("generic", "migrate", "carry-registry")) == {REGISTERED}


# -- memory -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_without_memory_the_areas_are_silent_and_served_again_when_it_returns(protocol):
    gone = run_of(protocol, "memslot-unplug")
    assert booted(gone) == {SILENT}
    assert gone.counts["host_writes_failed"] > 0
    assert booted(run_of(protocol, "memslot-return")) == {REGISTERED}


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_registering_twice_leaves_the_host_state_unchanged(protocol):
    once, twice = run_of(protocol, "boot"), run_of(protocol, "double-registration")
    assert booted(twice) == {REGISTERED}

    def held(run):
        return {k: v for k, v in run.machine.entries.items() if k.kind in ("area", "register", "registry")}

    assert held(once) == held(twice)


@pytest.mark.parametrize("protocol", ["generic", "per_feature"])
def test_an_area_that_moves_leaves_nothing_behind(protocol):
    run = run_of(protocol, "double-registration-moved")
    assert booted(run) == {REGISTERED}
    assert run.strays == 0


def test_moved_across_a_page_kvm_goes_on_at_the_old_place():
    """SYSTEM_TIME is accepted but not mapped; for the others, low address bits cause #GP. Linux checks neither."""
    run = run_of("per_feature", "double-registration-crossing")
    assert words(run, 0) == {STALE}
    assert run.fates[VM, "wall_clock"] is REGISTERED  # copied bytewise: may cross
    assert run.strays > 0
    mended = run_of("per_feature", "double-registration-crossing", "revoke-on-crossing")
    assert mended.fates[0, "kvmclock"] is LOST
    assert booted(run_of("generic", "double-registration-crossing")) == {REGISTERED}


def test_overlaps_are_accepted_unless_the_host_compares():
    at_boot_of_cpu_0 = 6
    assert booted(run_of("generic", "overlap")) == booted(run_of("per_feature", "overlap")) == {REGISTERED}
    one = Counter(run_of("generic", "overlap", "refuse-overlap", vcpus=1).fates.values())
    assert (one[REGISTERED], one[REFUSED]) == (1, at_boot_of_cpu_0 - 1)
    assert booted(run_of("generic", "overlap-vcpus", "refuse-overlap")) == {REGISTERED}  # one vCPU's only


# -- hostile guests -----------------------------------------------------------------------------------

HOSTILE_PER_FEATURE = {
    # A bad address is #GP for PV_EOI_EN and ASYNC_PF_EN; the other registers accept it unchecked.
    "hostile-bad-base": (SILENT, SILENT, SILENT, SILENT, SILENT),
    "hostile-wrap": (SILENT, SILENT, SILENT, SILENT, SILENT),
    # The size is implied: these are ordinary registrations.
    "hostile-size-zero": (REGISTERED, REGISTERED, REGISTERED, REGISTERED, REGISTERED),
    "hostile-huge": (REGISTERED, REGISTERED, REGISTERED, REGISTERED, REGISTERED),
    # +2: ASYNC_PF_EN reads "send always" and another address; PV_EOI_EN and STEAL_TIME have reserved bits there.
    "hostile-unaligned": (REGISTERED, STALE, SILENT, SILENT, REGISTERED),
    # SYSTEM_TIME is not mapped; WALL_CLOCK may cross; the rest is #GP.
    "hostile-page-crossing": (SILENT, SILENT, SILENT, SILENT, REGISTERED),
    "hostile-self": (REGISTERED, REGISTERED, REGISTERED, REGISTERED, REGISTERED),
    "hostile-user-mode": (REFUSED, REFUSED, REFUSED, REFUSED, REFUSED),
}


@pytest.mark.parametrize("event", HOSTILE_PER_FEATURE)
def test_hostile_guest_of_one_msr_per_feature(event):
    run = run_of("per_feature", event)
    struck = (*(run.fates[0, feature] for feature in PER_VCPU), run.fates[VM, "wall_clock"])
    assert struck == HOSTILE_PER_FEATURE[event]
    assert words(run, 1) == words(run, 2) == {REGISTERED}


HOSTILE_GENERIC = {
    "hostile-bad-base": REFUSED,  # EFAULT
    "hostile-wrap": REFUSED,
    "hostile-huge": REFUSED,
    "hostile-size-zero": SILENT,  # size 0 revokes, and says success
    "hostile-unaligned": REGISTERED,  # alignment and crossing are not checked
    "hostile-page-crossing": REGISTERED,
    "hostile-self": REGISTERED,
    "hostile-user-mode": REFUSED,
}


@pytest.mark.parametrize("event", HOSTILE_GENERIC)
def test_hostile_guest_of_generic_registration(event):
    run = run_of("generic", event)
    assert words(run, 0) == {HOSTILE_GENERIC[event]}
    assert {run.fates[VM, "wall_clock"], run.fates[VM, "watchdog"]} == {HOSTILE_GENERIC[event]}
    assert words(run, 1) == words(run, 2) == {REGISTERED}


def test_a_process_in_user_mode_causes_no_exit():
    """Above CPL 0 the instruction takes #GP without an exit to the host."""
    for protocol in ("generic", "per_feature"):
        assert run_of(protocol, "hostile-user-mode", vcpus=1).counts["exits"] == 0


def test_the_descriptor_inside_its_area_is_overwritten_by_the_payload():
    run = run_of("generic", "hostile-self", vcpus=1)
    at = run.scenario.cpu(0).descriptor
    descriptor = run.machine.memory.load(at, 24)
    assert int.from_bytes(descriptor[:8], "little") != at  # else it would be the last registration's base


def test_endless_registrations_grow_an_unbounded_registry_only():
    def growth(protocol, *mitigations):
        before = len(run_of(protocol, "boot", *mitigations, vcpus=1).machine.entries)
        return len(run_of(protocol, "hostile-endless", *mitigations, vcpus=1).machine.entries) - before

    assert growth("generic") == HostileEndless.registrations
    assert growth("per_feature") == growth("null") == 0
    assert 0 < growth("generic", "bound-registry") < 16


# -- other guests -------------------------------------------------------------------------------------


def test_20_bytes_are_read_as_24_and_refused_where_memory_ends():
    assert booted(run_of("generic", "i386-guest")) == {REGISTERED}
    edge = run_of("generic", "i386-edge")
    assert words(edge, 0) == {REFUSED}
    assert words(edge, 1) == {REGISTERED}
    assert booted(run_of("per_feature", "i386-edge")) == {REGISTERED}


def test_an_encrypted_guest_that_shares_nothing():
    """A descriptor that the host cannot read is #GP, which the guest sees; an address in a register is accepted."""
    for protocol in ("generic", "per_feature"):
        shared = run_of(protocol, "encrypted")
        assert booted(shared) == {REGISTERED}
        assert shared.counts["hypercall_exits"] == 3 + 1  # each vCPU's block, and the VM's
    assert booted(run_of("generic", "encrypted-unshared")) == {REFUSED}
    assert booted(run_of("per_feature", "encrypted-unshared")) == {SILENT}


def test_haltpoll_is_one_exit_for_each_cpu():
    for protocol in ("generic", "per_feature"):
        run = run_of(protocol, "haltpoll")
        assert run.counts["wrmsr_exits"] == 3
        assert {run.fates[cpu, "poll_control"] for cpu in range(3)} == {REGISTERED}


def test_migration_control_needs_a_vmm_that_listens():
    """KVM has no code for the register; the generic call passes every type that KVM does not know to user space."""
    word = {
        (protocol, event): run_of(protocol, event).fates[VM, "migration_control"]
        for protocol in ("generic", "per_feature")
        for event in ("allow-migration", "allow-migration-unserved")
    }
    assert word == {
        ("generic", "allow-migration"): REGISTERED,
        ("generic", "allow-migration-unserved"): REGISTERED,
        ("per_feature", "allow-migration"): REGISTERED,
        ("per_feature", "allow-migration-unserved"): SILENT,
    }
    assert run_of("per_feature", "allow-migration").counts["user_exits"] == 1


def test_a_kernel_that_can_revokes_everything_when_a_cpu_comes_up():
    """The mitigation ``revoke-all`` costs one more WRMSR for each vCPU at boot."""
    features = choose()
    plain = simulate(Scenario(PROTOCOLS["generic"](features), features, vcpus=4), EVENTS["boot"])
    revoking = simulate(Scenario(PROTOCOLS["generic"](features, ["revoke-all"]), features, vcpus=4), EVENTS["boot"])
    assert revoking.counts["wrmsr_exits"] == plain.counts["wrmsr_exits"] + 4
    assert revoking.fates == plain.fates


# -- one call for all CPUs ----------------------------------------------------------------------------


@pytest.mark.parametrize(("mitigations", "waits"), [(("revoke-vm",), 0), (("revoke-vm", "quiesce"), 2)])
def test_one_call_for_all_cpus_leaves_nothing_stale_after_a_crash(mitigations, waits):
    """The dying kernel and the crash kernel make one call each, and the areas of the stopped CPUs are revoked."""
    plain, revoking = run_of("generic", "crash", vcpus=64), run_of("generic", "crash", *mitigations, vcpus=64)
    assert revoking.counts["wrmsr_exits"] == plain.counts["wrmsr_exits"] - len(PER_VCPU) + 2
    assert Counter(plain.fates.values())[STALE] == 63 * len(PER_VCPU)
    assert STALE not in revoking.fates.values()
    assert revoking.counts["quiesces"] == waits


def test_before_kexec_one_call_does_what_each_cpu_did_for_each_feature():
    plain, revoking = run_of("generic", "kexec", vcpus=64), run_of("generic", "kexec", "revoke-vm", vcpus=64)
    assert revoking.counts["wrmsr_exits"] == plain.counts["wrmsr_exits"] - 64 * len(PER_VCPU) + 2
    assert revoking.fates == plain.fates
    assert revoking.boot_counts == plain.boot_counts, "a kernel that no other has started has nothing to revoke"


@pytest.mark.parametrize("event", ["boot", "kexec", "crash", "kexec-no-teardown", "suspend-resume", "cpu-unplug"])
def test_quiesce_changes_no_other_count(event):
    """When programs run one after the other there is nothing to wait for; and lanes still run vCPUs at once."""

    def told(run):
        return run.fates, {name: n for name, n in run.counts.items() if n and name not in ("steps", "quiesces")}

    waiting = run_of("generic", event, "revoke-vm", "quiesce", vcpus=20)
    alone = simulate(waiting.scenario, EVENTS[event], lanes=False)
    assert (alone.counts, alone.machine.entries) == (waiting.counts, waiting.machine.entries)
    assert told(run_of("generic", event, "revoke-vm", vcpus=20)) == told(waiting)
