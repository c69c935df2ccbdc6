"""Events in which a running guest sets a value feature: host polling control, migration control.

cpuidle-haltpoll polls in the guest before it halts, and tells the host, on each CPU, not to poll as well
(drivers/cpuidle/cpuidle-haltpoll.c, arch/x86/kernel/kvm.c arch_haltpoll_enable; Linux 5.4). An encrypted guest
writes MIGRATION_CONTROL once to tell that it may be migrated (arch/x86/kernel/kvm.c, kvm_init_platform and
setup_efi_kvm_sev_migration, 73f1b4fece21). KVM has no code for that register: a VMM that wants it asks for the exit
(KVM_CAP_X86_USER_SPACE_MSR); otherwise the write is #GP, which Linux does not check.
"""

from dataclasses import replace

from workbench.core.event_steps import Enter, GuestCall, Init
from workbench.core.kvm_registers import MIGRATION_CONTROL
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import KVM_SUPPORTED
from workbench.lifecycle.event import AfterBoot, enter_all, of_its_own
from workbench.lifecycle.hotplug import last
from workbench.lifecycle.linux import LinuxKernel


class Haltpoll(AfterBoot):
    """cpuidle-haltpoll is loaded on every vCPU."""

    name = "haltpoll"
    title = "guest polls before it halts"
    group = "other hosts and guests"

    def happen(self, scenario: Scenario) -> Program:
        kernel = LinuxKernel(scenario)
        for cpu in range(scenario.vcpus):
            yield from of_its_own(cpu, kernel.take_polling)
        yield from enter_all(scenario)


class HaltpollInit(Haltpoll):
    """The last vCPU is reset afterwards. INIT does not clear POLL_CONTROL (kvm_vcpu_reset); its kernel goes on."""

    name = "haltpoll-init"
    title = "guest polls, and a vCPU is reset"

    def happen(self, scenario: Scenario) -> Program:
        yield from super().happen(scenario)
        yield Init(last(scenario))
        yield from of_its_own(last(scenario), LinuxKernel(scenario).online)
        yield Enter(last(scenario))


class AllowMigration(AfterBoot):
    """An encrypted guest tells that it may be migrated; the VMM has asked for the exit."""

    name = "allow-migration"
    title = "encrypted guest allows migration"
    group = "other hosts and guests"
    user_msrs = frozenset({MIGRATION_CONTROL.msr})

    def adapt(self, scenario: Scenario) -> Scenario:
        """An encrypted guest with the CPUID bit, which only user space can offer."""
        known = KVM_SUPPORTED if scenario.cpuid is None else scenario.cpuid
        host = replace(scenario.host, user_msrs=scenario.host.user_msrs | self.user_msrs)
        return replace(scenario, encrypted=True, host=host, cpuid=known | MIGRATION_CONTROL.cpuid_bits)

    def happen(self, scenario: Scenario) -> Program:
        kernel = LinuxKernel(scenario)
        feature = kernel.named("migration_control")
        if feature is not None:
            yield from of_its_own(0, GuestCall(kernel.set_value, (feature,)))
        yield from enter_all(scenario)


class AllowMigrationUnserved(AllowMigration):
    """The same guest, under a VMM that offers the CPUID bit and did not ask for the exit."""

    name = "allow-migration-unserved"
    title = "the same, VMM not listening"
    user_msrs = frozenset()
