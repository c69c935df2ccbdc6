"""The record of a vCPU: CPUID leaves, and what enforcement changes."""

import dataclasses

import pytest

from workbench.core.kvm_registers import KVM_REGISTERS
from workbench.core.vcpu import KVM_SUPPORTED, Host, Vcpu
from workbench.errors import WorkbenchError


def test_the_signature_leaf_spells_kvm_and_names_the_last_leaf():
    eax, ebx, ecx, edx = Vcpu(0).cpuid_leaf(0x4000_0000)
    assert eax == 0x4000_0001
    assert b"".join(word.to_bytes(4, "little") for word in (ebx, ecx, edx)) == b"KVMKVMKVM\0\0\0"


def test_the_feature_leaf_is_what_linux_supports():
    # KVM_GET_SUPPORTED_CPUID of Linux 6.12: bits 15 to 17 are added by user space.
    assert Vcpu(0).cpuid_leaf(0x4000_0001) == (0x0100_7EFB, 0, 0, 0)


@pytest.mark.parametrize("bits", [(), (3,), (0, 24), (17,)])
def test_the_feature_leaf_is_the_sum_of_its_bits(bits):
    assert Vcpu(0, cpuid=frozenset(bits)).cpuid_leaf(0x4000_0001)[0] == sum(1 << bit for bit in bits)


@pytest.mark.parametrize("leaf", [0, 1, 0x4000_0002])
def test_another_leaf_is_not_modelled(leaf):
    with pytest.raises(WorkbenchError) as error:
        Vcpu(0).cpuid_leaf(leaf)
    assert str(error.value) == f"CPUID leaf {leaf:#x} is not modelled; known: 0x40000000, 0x40000001"


def test_migration_control_is_not_offered_unless_user_space_adds_it():
    registers = [one for several in KVM_REGISTERS.values() for one in several]
    assert [one.name for one in registers if not one.cpuid_bits <= KVM_SUPPORTED] == ["MIGRATION_CONTROL"]


@pytest.mark.parametrize("bit", sorted(KVM_SUPPORTED))
def test_cpuid_gates_nothing_unless_it_is_enforced(bit):
    without = Vcpu(0, cpuid=KVM_SUPPORTED - {bit})
    assert without.may_use(bit)
    assert not without.but(enforce_cpuid=True).may_use(bit)
    assert Vcpu(0, enforce_cpuid=True).may_use(bit)


def test_a_feature_without_a_cpuid_bit_is_always_allowed():
    assert Vcpu(0, cpuid=frozenset(), enforce_cpuid=True).may_use(None)


def test_a_change_returns_a_new_record():
    cpu = Vcpu(2, descriptor=0x100)
    other = cpu.but(host=Host(irqchip=False))
    assert (other.index, other.descriptor, other.host.irqchip, cpu.host.irqchip) == (2, 0x100, False, True)
    assert hash(cpu) == hash(Vcpu(2, descriptor=0x100))
    with pytest.raises(dataclasses.FrozenInstanceError):
        cpu.index = 3
