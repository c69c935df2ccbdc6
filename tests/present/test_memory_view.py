"""Bytes, fields and layouts as text and drawings."""

import re
from xml.etree import ElementTree

import pytest

from workbench.clayout.layout import Abi, struct
from workbench.core.scenario import Scenario
from workbench.features import FEATURES, choose
from workbench.measure import variant
from workbench.present.text import memory as memory_view
from workbench.protocols.generic import KVM_MEMORY_AREA


def test_a_dump_shows_addresses_and_joins_zeros():
    data = bytes([1]) + bytes(79) + b"\xff" * 16
    lines = memory_view.hex_dump(data, 0x1000).splitlines()
    assert lines == [
        "0x00001000  01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        "   (zeros)",
        "0x00001050  " + " ".join(["ff"] * 16),
    ]


@pytest.mark.parametrize("feature", FEATURES.values(), ids=FEATURES)
@pytest.mark.parametrize("abi", Abi)
def test_the_fields_of_every_payload_can_be_shown(feature, abi):
    layout = feature.payload.on(abi)
    data = bytes(range(layout.size))
    for offset, raw, name, _ in memory_view.field_rows(layout, data):
        assert layout.offset_of(name) == offset
        assert bytes.fromhex(raw) == data[offset : offset + len(raw.split())]
    assert max(map(len, memory_view.fields(layout, bytes(layout.size)).splitlines())) <= 72


def test_an_odd_version_is_called_odd():
    layout = FEATURES["kvmclock"].payload.on(Abi.X86_64)
    assert "3 (odd)" in memory_view.fields(layout, b"\x03" + bytes(31))


def texts(svg):
    root = ElementTree.fromstring(svg)
    return ["".join(node.itertext()) for node in root.iter("{http://www.w3.org/2000/svg}text")]


def test_a_layout_is_drawn_for_each_abi_with_its_padding():
    drawn = texts(memory_view.layout_svg(KVM_MEMORY_AREA))
    assert "struct kvm_memory_area on x86-64: 24 bytes" in drawn
    assert "struct kvm_memory_area on i386: 20 bytes" in drawn
    assert drawn.count("result") == 2
    assert drawn.count("padding") == 1
    assert "padding" not in texts(memory_view.layout_svg(struct("struct one { __u64 a; };")))


def test_a_page_is_drawn_with_every_unit():
    scenario = Scenario(variant("generic").protocol(choose()), choose(), vcpus=2)
    svg = memory_view.page_svg(scenario, 1)
    assert svg == memory_view.page_svg(scenario, 1)
    drawn = " ".join(texts(svg))
    for unit in scenario.addresses.units(0, 1):
        assert re.search(rf"\b{unit.what}: {scenario.addresses.size(unit.what)} bytes", drawn)
