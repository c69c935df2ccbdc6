"""Every thread ends and every descriptor is closed, also after errors (conftest checks after each test)."""

import subprocess
import sys
import threading
from pathlib import Path

import pytest
from pv_msrs import STEAL_TIME

from workbench.core.outcome import HANDLED
from workbench.engines.kvm.api.ioctl import KVM_SET_CPUID2, KvmError, refusal
from workbench.engines.kvm.api.vm import Vm
from workbench.engines.kvm.guest.exit_answers import MsrAnswer
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError

pytestmark = pytest.mark.kvm


def test_open_and_close_many():
    for _ in range(5):
        with Guest(3) as guest:
            guest.nop(2)
            guest.vcpu(0).stats()
            guest.vm.stats()


def test_close_twice_and_use_after_close():
    guest = Guest()
    vcpu = guest.vcpu(0)
    guest.close()
    guest.close()
    with pytest.raises(EngineError, match=r"^kvm: the guest is closed \(vCPU 0\)"):
        guest.nop(0)
    for access in (vcpu.run, vcpu.mp_state, vcpu.fetch_regs, vcpu.finish_exit, vcpu.get_cpuid):
        with pytest.raises(KvmError, match=r"EBADF \(the vCPU descriptor is closed"):
            access()
    with pytest.raises(EngineError, match="vCPU 0 is closed"):
        vcpu.stats()
    with pytest.raises(KvmError, match=r"KVM_GET_CLOCK failed: EBADF .the VM descriptor is closed"):
        guest.vm.get_clock()


def test_descriptor_closed_behind_our_back():
    with Guest() as guest:
        guest.vcpu(0).close()
        with pytest.raises(KvmError, match=r"KVM_RUN failed: EBADF .the vCPU descriptor is closed"):
            guest.nop(0)


def test_error_inside_the_with_block():
    with pytest.raises(ZeroDivisionError), Guest(2) as guest:
        guest.call(1, lambda: 1 // 0)


def test_error_half_way_through_opening(monkeypatch):
    def refuse(vcpu, entries):
        if vcpu.number == 1:
            raise refusal(KVM_SET_CPUID2, 22)

    monkeypatch.setattr("workbench.engines.kvm.api.vcpu.Vcpu.set_cpuid", refuse)
    with pytest.raises(KvmError):
        Guest(2)


def test_error_while_the_vm_is_set_up():
    with pytest.raises(KvmError, match="KVM_SET_USER_MEMORY_REGION failed: EEXIST"):
        Guest(ram=((0, 0x2000), (0x1000, 0x2000)))


def test_closing_stops_a_guest_that_runs():
    guest = Guest(limit=60)
    spinning = guest.submit(0, lambda: guest.spin(0))
    waiting = guest.submit(0, lambda: guest.nop(0))
    while not guest.executor(0).thread.entered:
        pass
    guest.close()
    with pytest.raises(EngineError, match=r"closed during a run \(vCPU 0, step spin\)"):
        spinning.result()
    with pytest.raises(EngineError, match="the guest is closed"):
        waiting.result()


def test_user_space_may_take_longer_than_the_limit():
    resume = threading.Event()

    def slow(cpu, access):
        assert not resume.wait(1.0)
        return MsrAnswer()

    with Guest(deflect={STEAL_TIME}, on_msr_exit=slow, limit=0.5) as guest:
        assert guest.wrmsr(0, STEAL_TIME, 0).outcome is HANDLED


def test_number_of_a_vcpu_is_used_once():
    with Vm() as vm:
        vm.create_vcpu(0).close()
        with pytest.raises(KvmError, match="KVM_CREATE_VCPU failed: EEXIST"):
            vm.create_vcpu(0)


def test_two_processes_at_once():
    program = "from workbench.engines.kvm.guest.guest import Guest\nwith Guest() as g: print(g.nop(0).outcome.value)"
    top = Path(__file__).resolve().parents[2]
    with Guest() as guest:
        other = subprocess.run([sys.executable, "-c", program], cwd=top, capture_output=True, text=True, check=True)
        assert other.stdout == "handled\n"
        assert guest.nop(0).outcome is HANDLED


def test_process_that_forgets_to_close_ends_all_the_same():
    program = "from workbench.engines.kvm.guest.guest import Guest\ng = Guest(limit=60)\ng.submit(0, lambda: g.spin(0))"
    top = Path(__file__).resolve().parents[2]
    subprocess.run([sys.executable, "-c", program], cwd=top, check=True, timeout=30)


INTERRUPTED = """
import os, signal, threading
from workbench.engines.kvm.guest.guest import Guest

try:
    with Guest(limit=60) as guest:
        def interrupt():
            while not guest.executor(0).thread.entered:
                pass
            os.kill(os.getpid(), signal.SIGINT)
        threading.Thread(target=interrupt).start()
        guest.spin(0)
except KeyboardInterrupt:
    print("interrupted,", [thread.name for thread in threading.enumerate() if "vcpu" in thread.name])
"""


def test_ctrl_c_ends_a_running_guest():
    top = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], check=False, cwd=top, capture_output=True, text=True, timeout=30
    )
    assert (done.stdout, done.stderr) == ("interrupted, []\n", "")


def test_steal_time_is_the_waiting_of_the_vcpus_own_thread():
    with Guest() as guest:
        guest.wrmsr(0, STEAL_TIME, 0x3001)
        guest.nop(0)
        guest.nop(0)
        steal = int.from_bytes(guest.memory.read(0x3000, 8), "little")
        assert 0 < steal <= guest.executor(0).thread.run_delay()


def test_statistics_by_name():
    with Guest() as guest:
        before = guest.vcpu(0).stats()
        guest.load(0, 0x40000000, 4)
        assert guest.vcpu(0).stats()["mmio_exits"] == before["mmio_exits"] + 1
        assert "remote_tlb_flush" in guest.vm.stats()
