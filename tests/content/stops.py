"""Designs and VMMs with one mistake each in what they tell a guest that was stopped."""

from workbench.core.relay import relayed
from workbench.design import (
    U8,
    Get,
    HostCall,
    Load,
    NewHost,
    OnHost,
    Pause,
    PerFeature,
    Resume,
    Set,
    area,
    pending,
    stop_news,
)
from workbench.features.kvmclock import FLAGS, Kvmclock
from workbench.lifecycle.migrate import restore_on, save_on
from workbench.lifecycle.pause import MigrateTold, say_stopped


class ForgetsTheNews(PerFeature):
    """The host accepts the news, asks for an update, and does not say in it what for."""

    name = "forgets_the_news"

    def on_guest_stopped(self, cpu):
        served = yield Get(area(cpu.index, "kvmclock"))
        if served is not None:
            yield Set(pending(cpu.index, "kvmclock"), True)
        return served is not None


class AcceptsWithoutClock(PerFeature):
    """The host keeps the news for a clock that may be registered later."""

    name = "accepts_without_clock"

    def on_guest_stopped(self, cpu):
        yield Set(stop_news(cpu.index, "kvmclock"), True)
        yield Set(pending(cpu.index, "kvmclock"), True)
        return True


class TellsThoughRefused(AcceptsWithoutClock):
    """The host refuses where it serves no clock, and keeps the news all the same."""

    name = "tells_though_refused"

    def on_guest_stopped(self, cpu):
        yield from super().on_guest_stopped(cpu)
        return (yield Get(area(cpu.index, "kvmclock"))) is not None


class FirstVcpuOnly(PerFeature):
    """The host tells vCPU 0 alone, as if it spoke for the guest."""

    name = "first_vcpu_only"

    def on_guest_stopped(self, cpu):
        accepted = yield from super().on_guest_stopped(cpu)
        if cpu.index:
            yield Set(stop_news(cpu.index, "kvmclock"), None)
        return accepted


class ClearedByUpdate(Kvmclock):
    """An update writes all flags anew: what the guest has not yet read is gone with the next one."""

    def update(self, cpu, gpa, now):
        def blind(step):
            found = yield step
            return 0 if step == Load(gpa + FLAGS, U8) else found

        return relayed(super().update(cpu, gpa, now), blind)


class ToldTooEarly(MigrateTold):
    """The VMM of the destination says so before it has restored the registers."""

    name = "told-too-early"

    def stop(self, scenario):
        yield Pause()
        saved = yield OnHost(0, HostCall(save_on, (scenario,)))
        yield NewHost()
        answers = yield from say_stopped(scenario)
        yield OnHost(0, HostCall(restore_on, (scenario, saved)))
        yield Resume()
        return answers
