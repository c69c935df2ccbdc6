"""Views of guest memory: bytes as a hex dump, a payload field by field, a structure's layouts as a drawing.

Everything shown is computed from bytes and layouts that a run produced. Text is ASCII of 72 columns; drawings are
SVG strings without a date, a random name or a font from the network.
"""

from collections.abc import Sequence
from html import escape

from workbench.clayout.layout import Abi, Layout, Struct
from workbench.clayout.types import Field
from workbench.clayout.value import Value
from workbench.core.address_map import AddressMap, Unit
from workbench.core.memory import PAGE_SIZE
from workbench.core.scenario import Scenario

PER_LINE = 16
FILL, PADDING, EDGE = "#d6e6f2", "#f4b97a", "#333333"
BOX, LETTER = 48, 7.3  # height of a box, width of a letter, in pixels
FONT = "font-family='monospace' font-size='12'"


def hex_dump(data: bytes, gpa: int = 0) -> str:
    """Return ``data`` as lines of 16 bytes, each with its address; adjacent lines of zeros become one line."""
    lines: list[str] = []
    for offset in range(0, len(data), PER_LINE):
        part = data[offset : offset + PER_LINE]
        if any(part) or offset == 0:
            lines.append(f"{gpa + offset:#010x}  {part.hex(' ')}")
        elif lines[-1] != "   (zeros)":
            lines.append("   (zeros)")
    return "\n".join(lines)


def field_rows(layout: Layout, data: bytes) -> list[tuple[int, str, str, str]]:
    """Return (offset, bytes, field, value) of every field of a payload, padding left out."""
    value = layout.unpack(data)
    return [
        (field.offset, data[field.offset : field.offset + field.size].hex(" "), field.name, _number(value, field))
        for field in layout.fields
        if not _is_padding(field)
    ]


def fields(layout: Layout, data: bytes) -> str:
    """Return a table of a payload's fields: offset, bytes in memory order, name, value."""
    lines = [f"{'offset':>6}  {'bytes in memory':24} {'field':18} value"]
    lines += [f"{at:6}  {raw:24} {name:18} {value}" for at, raw, name, value in field_rows(layout, data)]
    return "\n".join(lines)


def _is_padding(field: Field) -> bool:
    return "pad" in field.name


def _number(value: Value, field: Field) -> str:
    content = value[field.name]
    if not isinstance(content, int):
        return repr(content)
    return f"{content} ({'odd' if content & 1 else 'even'})" if field.name == "version" else str(content)


# -- drawings ------------------------------------------------------------------------------------------


def layout_svg(struct: Struct, unit: int = 24) -> str:
    """Return a drawing of a structure on every ABI, one box for each byte range, compiler padding shaded."""
    widest = max(struct.on(abi).size for abi in Abi)
    parts, y = [], 0
    for abi in Abi:
        layout = struct.on(abi)
        parts.append(_text(0, y + 14, f"{layout.title} on {abi.label}: {layout.size} bytes", "start"))
        for field in layout.fields:
            parts.append(_box(field.offset * unit, y + 22, field.size * unit, field.name, FILL))
        for hole in layout.holes:
            parts.append(_box(hole.offset * unit, y + 22, hole.size * unit, "padding", PADDING))
        parts += [_text(byte * unit, y + BOX + 36, str(byte), "middle") for byte in range(0, layout.size + 1, 4)]
        y += BOX + 60
    return _svg(widest * unit + 24, y, parts, f"Layouts of {struct.name}")


def page_svg(scenario: Scenario, cpu: int = 0, width: int = 640) -> str:
    """Return a drawing of the used part of a vCPU's page: its descriptor and areas, to scale."""
    addresses = scenario.addresses
    placed = [(unit, *_place(addresses, unit)) for unit in addresses.units(0, cpu)]
    end = max((at + size for _, at, size in placed), default=1)
    scale = width / end
    parts = [_text(0, 14, f"page of vCPU {cpu} at {addresses.block_of(0, cpu):#x}, bytes 0 to {end}", "start")]
    for row, (unit, at, size) in enumerate(placed):
        parts.append(_box(at * scale, 24, size * scale, "", FILL))
        x = (at + size / 2) * scale
        y = BOX + 34 + 16 * (len(placed) - row)  # the leftmost at the bottom, so that no line crosses a label
        parts.append(f"<path d='M{x:.1f} {BOX + 24} V{y - 4}' stroke='{EDGE}' stroke-width='0.6'/>")
        parts.append(_text(x + 4, y, f"{unit.what}: {size} bytes at +{at:#x}", "start"))
    return _svg(width + 260, BOX + 46 + 16 * len(placed), parts, f"Areas of vCPU {cpu}")


def _place(addresses: AddressMap, unit: Unit) -> tuple[int, int]:
    return addresses.gpa(unit) % PAGE_SIZE, addresses.size(unit.what)


def _box(x: float, y: float, width: float, label: str, colour: str) -> str:
    """Return a box with its label, which is turned by 90 degrees where it would not fit otherwise."""
    box = f"<rect x='{x:.1f}' y='{y}' width='{width:.1f}' height='{BOX}' fill='{colour}' stroke='{EDGE}'/>"
    if not label:
        return box
    if len(label) * LETTER <= width:
        return box + _text(x + width / 2, y + BOX // 2 + 4, label, "middle")
    turned = f" transform='rotate(-90 {x + width / 2 + 4:.1f} {y + BOX // 2})'"
    return box + _text(x + width / 2 + 4, y + BOX // 2, label, "middle", turned)


def _text(x: float, y: float, text: str, anchor: str, more: str = "") -> str:
    return f"<text x='{x:.1f}' y='{y}' text-anchor='{anchor}' {FONT}{more}>{escape(text)}</text>"


def _svg(width: int, height: int, parts: Sequence[str], title: str) -> str:
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width + 16}' height='{height}' "
        f"viewBox='-8 0 {width + 16} {height}' role='img' aria-label='{escape(title, quote=True)}'>"
        f"<rect x='-8' width='{width + 16}' height='{height}' fill='#ffffff'/>{''.join(parts)}</svg>"
    )
