"""The addresses of areas: disjoint, aligned, within a page, and found by their address."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.core.address_map import DESCRIPTOR, KERNEL_BASE, AddressMap, Unit
from workbench.core.contracts import Feature
from workbench.core.host_state import VM
from workbench.core.memory import PAGE_SIZE
from workbench.features import FEATURES, choose


def feature(index, size, align, scope):
    made = type(f"F{index}", (Feature,), {"name": f"f{index}", "size": size, "align": align, "scope": scope})
    return made()


def areas(draw_sizes):
    return tuple(feature(index, *shape) for index, shape in enumerate(draw_sizes))


shapes = st.tuples(
    st.sampled_from([0, 1, 4, 8, 12, 16, 32, 64, 1000, PAGE_SIZE, PAGE_SIZE + 1, 3 * PAGE_SIZE]),
    st.sampled_from([1, 2, 4, 8, 64, PAGE_SIZE]),
    st.sampled_from(["vcpu", "vm"]),
)
feature_sets = st.lists(shapes, max_size=7).map(areas)
descriptors = st.sampled_from([0, 20, 24])


def all_units(addresses, vcpus, generations=(0, 1)):
    return [
        unit
        for generation in generations
        for cpu in (VM, *range(vcpus))
        for unit in addresses.units(generation, cpu)
    ]


@given(features=feature_sets, vcpus=st.integers(1, 4), descriptor=descriptors)
def test_no_two_units_share_a_byte_and_each_lies_in_its_kernels_memslot(features, vcpus, descriptor):
    addresses = AddressMap(features, vcpus, descriptor)
    spans = sorted(
        (addresses.gpa(unit), addresses.gpa(unit) + addresses.size(unit.what), unit)
        for unit in all_units(addresses, vcpus)
    )
    for (_, end, _), (begin, _, _) in pairwise(spans):
        assert end <= begin
    for begin, end, unit in spans:
        slot = addresses.memslot(unit.generation)
        assert slot <= begin
        assert end <= slot + addresses.memslot_size
    assert addresses.memslot(0) == KERNEL_BASE
    assert addresses.memslot(1) == addresses.memslot(0) + addresses.memslot_size


@given(features=feature_sets, vcpus=st.integers(1, 3), descriptor=descriptors)
def test_units_are_aligned_and_cross_no_page_unless_they_must(features, vcpus, descriptor):
    addresses = AddressMap(features, vcpus, descriptor)
    align = {made.name: made.align for made in features} | {DESCRIPTOR: 8}
    for unit in all_units(addresses, vcpus):
        gpa, size = addresses.gpa(unit), addresses.size(unit.what)
        assert gpa % align[unit.what] == 0
        if size <= PAGE_SIZE:
            assert gpa // PAGE_SIZE == (gpa + size - 1) // PAGE_SIZE


@given(features=feature_sets, vcpus=st.integers(1, 3), descriptor=descriptors, data=st.data())
def test_a_unit_is_found_by_every_address_in_it_and_by_no_other(features, vcpus, descriptor, data):
    addresses = AddressMap(features, vcpus, descriptor)
    units = all_units(addresses, vcpus)
    for unit in units:
        gpa, size = addresses.gpa(unit), addresses.size(unit.what)
        assert addresses.unit_at(gpa) == addresses.unit_at(gpa + size - 1) == unit
    gpa = data.draw(st.integers(0, KERNEL_BASE + 2 * addresses.memslot_size - 1))
    holding = [u for u in units if addresses.gpa(u) <= gpa < addresses.gpa(u) + addresses.size(u.what)]
    assert addresses.unit_at(gpa) == (holding[0] if holding else None)


def test_linux_areas_of_one_vcpu_take_one_page():
    addresses = AddressMap(choose(), 2, 24)
    assert addresses.block == PAGE_SIZE
    assert addresses.memslot_size == 3 * PAGE_SIZE


def test_vm_wide_features_have_one_area_whoever_asks():
    addresses = AddressMap(choose(), 4)
    clock, wall = FEATURES["kvmclock"], FEATURES["wall_clock"]
    assert {addresses.area(0, cpu, wall) for cpu in range(4)} == {Unit(0, VM, "wall_clock")}
    assert len({addresses.gpa(addresses.area(0, cpu, clock)) for cpu in range(4)}) == 4


def test_each_generation_has_addresses_of_its_own():
    addresses = AddressMap(choose(), 2, 24)
    old = {addresses.gpa(unit) for unit in all_units(addresses, 2, (0,))}
    new = {addresses.gpa(unit) for unit in all_units(addresses, 2, (1,))}
    assert len(old) == len(new) == len(all_units(addresses, 2, (0,)))
    assert old.isdisjoint(new)


@pytest.mark.parametrize("gpa", [0, KERNEL_BASE - 1])
def test_low_memory_has_no_unit(gpa):
    assert AddressMap(choose(), 1, 24).unit_at(gpa) is None


def test_without_areas_there_is_still_a_page_for_each_block():
    addresses = AddressMap((), 3)
    assert addresses.memslot_size == 4 * PAGE_SIZE
    assert addresses.unit_at(KERNEL_BASE) is None
