"""A Linux guest: the order in which it registers areas, and the order in which it revokes them.

Boot (Linux 6.12): kvmclock_init -> kvm_register_clock; smp_prepare_boot_cpu -> kvm_guest_cpu_init (async page
fault, PV EOI, steal time); timekeeping_init -> kvm_get_wallclock. Each application CPU: kvm_setup_secondary_clock,
then kvm_guest_cpu_init (arch/x86/kernel/kvm.c, kvmclock.c; order of calls: init/main.c start_kernel).
Teardown: kvm_guest_cpu_offline: steal time, PV EOI, migration control, async page fault, kvmclock.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from workbench.core.contracts import Feature
from workbench.core.hypercalls import share
from workbench.core.scenario import Scenario
from workbench.core.steps import Program
from workbench.core.vcpu import Vcpu


@dataclass(frozen=True)
class LinuxKernel:
    """One Linux kernel in the guest; a kernel started by kexec is the next ``generation``.

    Kernels compare by value, so that the explorer can tell which of their programs are the same.
    """

    scenario: Scenario
    generation: int = 0  #: counted from the kernel that runs when the event begins; in the object from the first
    cpus: int | None = None  #: on how many CPUs it runs; None: on all

    def __post_init__(self) -> None:
        """Count from the first kernel, so that the same kernel is equal in every part of an event."""
        if self.scenario.kernel:
            object.__setattr__(self, "generation", self.scenario.kernel + self.generation)
            object.__setattr__(self, "scenario", replace(self.scenario, kernel=0))

    def here(self, cpu: Vcpu) -> Vcpu:
        """Return the vCPU's record with this kernel's descriptor."""
        return cpu.but(descriptor=self.scenario.cpu(cpu.index, self.generation).descriptor)

    def at_boot(self, cpu: Vcpu) -> Iterator[Feature]:
        """Features in the order in which this CPU registers them; only the boot CPU registers VM-wide ones."""
        chosen = [f for f in self.scenario.supported() if f.linux_boot is not None]
        for feature in sorted(chosen, key=lambda f: (f.linux_boot or 0, f.name)):
            if feature.scope == "vcpu" or cpu.index == 0:
                yield feature

    def boot(self, cpu: Vcpu) -> Program:
        """Guest: first start of a CPU: share its pages, revoke earlier areas (``revoke_all``), then register."""
        yield from self.come_up(cpu)
        yield from self.scenario.protocol.revoke_all(self.here(cpu))
        yield from self._register(cpu, at_boot=True)

    def come_up(self, cpu: Vcpu) -> Program:
        """Guest: what a CPU does before its areas can be registered: share its pages, and prepare."""
        if self.scenario.encrypted:
            yield from self.share(cpu)
        yield from self.prepare(cpu)

    def online(self, cpu: Vcpu) -> Program:
        """Guest: register the areas of a CPU that comes up (kvm_guest_cpu_init); its pages are already shared."""
        yield from self.prepare(cpu)
        yield from self._register(cpu)

    def prepare(self, cpu: Vcpu) -> Program:
        """Guest: what the design wants done on a CPU before it makes any other call."""
        yield from self.scenario.protocol.prepare(self.here(cpu))

    def _register(self, cpu: Vcpu, at_boot: bool = False) -> Program:
        """Guest: register this CPU's areas; one by one, or in one go if the design can, even for all CPUs at boot."""
        cpu, batch = self.here(cpu), self.scenario.protocol.batch
        if batch == "none":
            for feature in tuple(self.at_boot(cpu)):
                yield from self.scenario.enrol(cpu, feature, self.generation)
            return
        owners: tuple[Vcpu, ...] = (cpu,)
        if batch == "vm" and at_boot:
            owners = self.everyone() if cpu.index == 0 else ()
        wanted = tuple((owner, feature) for owner in owners for feature in tuple(self.at_boot(owner)))
        if wanted:
            yield from self.scenario.enrol_all(cpu, wanted, self.generation)

    def everyone(self) -> tuple[Vcpu, ...]:
        """The records of all CPUs on which this kernel runs."""
        count = self.scenario.vcpus if self.cpus is None else self.cpus
        return tuple(self.scenario.cpu(index, self.generation) for index in range(count))

    def register_for(self, cpu: Vcpu, other: int) -> Program:
        """Guest: on ``cpu``, register the areas of another CPU, if the design can (Protocol.for_others)."""
        owner = self.scenario.cpu(other, self.generation)
        for feature in tuple(self.at_boot(owner)):
            yield from self.scenario.enrol(owner, feature, self.generation)

    def share(self, cpu: Vcpu) -> Program:
        """Guest: make the pages that hold areas and descriptors shared, before any is registered."""
        addresses = self.scenario.addresses
        yield share(addresses.block_of(self.generation, cpu.index), addresses.block)
        if cpu.index == 0:
            yield share(addresses.memslot(self.generation), addresses.block)

    def teardown(self, cpu: Vcpu) -> Program:
        """Guest: kvm_guest_cpu_offline, on the CPU that goes offline (or on every CPU before kexec)."""
        cpu = self.here(cpu)
        chosen = [f for f in self.scenario.supported() if f.linux_boot is not None and f.linux_teardown is not None]
        for feature in sorted(chosen, key=lambda f: f.linux_teardown or 0):
            yield from self.scenario.revoke(cpu, feature, self.generation)

    def revoke_everything(self, cpu: Vcpu) -> Program:
        """Guest: revoke for all CPUs, running or not, with one call, if the protocol has such a call."""
        yield from self.scenario.protocol.revoke_everything(self.here(cpu))

    def play_dead(self, cpu: Vcpu) -> Program:
        """Guest: the CPU halts. Its vCPU still exists, and the host still loads it now and then."""
        return
        yield

    def named(self, name: str) -> Feature | None:
        """Return the feature called ``name``, or None if this scenario or its protocol has none."""
        return next((feature for feature in self.scenario.supported() if feature.name == name), None)

    def set_value(self, cpu: Vcpu, feature: Feature) -> Program:
        """Guest: register a feature that is not part of boot (haltpoll's poll control, migration control)."""
        yield from self.scenario.enrol(self.here(cpu), feature, self.generation)

    def take_polling(self, cpu: Vcpu) -> Program:
        """Guest: arch_haltpoll_enable, if there is a poll control: this CPU polls, the host must not."""
        feature = self.named("poll_control")
        if feature is not None:
            yield from self.set_value(cpu, feature)

    def give_back_polling(self, cpu: Vcpu) -> Program:
        """Guest: arch_haltpoll_disable: this CPU no longer polls, the host may."""
        feature = self.named("poll_control")
        if feature is not None:
            yield from self.scenario.revoke(self.here(cpu), feature, self.generation)
