"""The probe says whether, why not and what to do; it never raises and it needs no /dev/kvm."""

import os
import platform

import pytest

from workbench.engines.kvm import probe
from workbench.engines.kvm.api import ioctl
from workbench.engines.kvm.guest.guest import Guest
from workbench.errors import EngineError


def test_absent_device(monkeypatch, tmp_path):
    monkeypatch.setattr(ioctl, "DEVICE", str(tmp_path / "kvm"))
    found = probe.probe()
    assert not found.available
    assert found.reason == f"{tmp_path}/kvm does not exist"
    assert "kvm_intel" in found.what_to_do
    assert found.emulated is None
    assert not probe.can_open()


def test_no_permission(monkeypatch):
    def refuse(path, flags):
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr(os, "open", refuse)  # root passes every permission check, so a mode would not do
    found = probe.probe()
    assert found.reason == "no permission to open /dev/kvm"
    assert "group" in found.what_to_do
    assert not probe.can_open()


def test_device_of_another_kind(monkeypatch):
    monkeypatch.setattr(ioctl, "DEVICE", "/dev/null")
    found = probe.probe()
    assert not found.available
    assert found.reason.startswith("KVM_GET_API_VERSION failed: ENOTTY")


def test_something_that_is_no_device(monkeypatch, tmp_path):
    monkeypatch.setattr(ioctl, "DEVICE", str(tmp_path))
    assert "cannot be opened: EISDIR" in probe.probe().reason


def test_every_line_is_one_line_and_says_what_to_do(monkeypatch, tmp_path):
    for device in (str(tmp_path / "kvm"), "/dev/null", str(tmp_path)):
        monkeypatch.setattr(ioctl, "DEVICE", device)
        found = probe.probe()
        assert found.line == f"kvm: not available: {found.reason}; {found.what_to_do}"
        assert "\n" not in found.line
        assert found.what_to_do


def test_guest_without_device_says_the_same(monkeypatch, tmp_path):
    monkeypatch.setattr(ioctl, "DEVICE", str(tmp_path / "kvm"))
    with pytest.raises(EngineError, match=r"^kvm: .*/kvm does not exist; load kvm_intel"):
        Guest()


@pytest.mark.kvm
def test_here():
    found = probe.probe()
    assert found.available, found.line
    assert found.kernel == platform.release()
    assert found.kernel in found.line
    assert found.module in found.line
    assert found.api_version == 12
    assert found.capabilities["KVM_CAP_USER_MEMORY"] == 1
    assert isinstance(found.emulated, bool)
    assert "\n" not in found.line
    assert probe.can_open()


@pytest.mark.kvm
@pytest.mark.parametrize("missing", ["descriptor", "name"])
def test_without_statistics_the_speed_decides(monkeypatch, missing):
    if missing == "name":
        monkeypatch.setattr("workbench.engines.kvm.api.vcpu.Vcpu.stats", lambda vcpu: {})
    else:
        monkeypatch.setattr("workbench.engines.kvm.api.vm.Vm.has", lambda vm, capability: 0)
    for nanoseconds, emulated in ((1, False), (600, True)):
        monkeypatch.setattr(probe, "_count_ns", lambda guest, count, ns=nanoseconds: ns * count)
        assert probe.probe().emulated is emulated


@pytest.mark.kvm
def test_busy_kvm_is_explained(monkeypatch):
    def busy(fd, request, argument=0):
        if request is ioctl.KVM_CREATE_VM:
            raise ioctl.refusal(request, 16)
        return original(fd, request, argument)

    original = ioctl.call
    monkeypatch.setattr("workbench.engines.kvm.api.vm.call", busy)
    found = probe.probe()
    assert found.reason.startswith("KVM_CREATE_VM failed: EBUSY")
    assert "another hypervisor" in found.what_to_do
