"""What a host holds after the first event, entry by entry, and what of it a migration carries."""

from __future__ import annotations

from workbench.measure.comparison.state import state_of_run
from workbench.present.post.asked import Asked
from workbench.present.post.section import Section
from workbench.present.text.table import as_text
from workbench.present.text.tables import state_table


def section(asked: Asked, words: str) -> Section:
    """Return the table of each design."""
    first, told, tables = asked.events[0], [], []
    for one in asked.variants:
        entries = state_of_run(one, asked.of(one), asked.vcpus, first, asked.seed)
        whole, carried = (sum(entry.wire_bytes for entry in some)
                          for some in (entries, [entry for entry in entries if entry.carried]))  # fmt: skip
        told.append(f"{one.label} {carried} of {whole} bytes")
        tables.append(as_text(state_table(one, asked.of(one), asked.vcpus, first, asked.seed)))
    return Section(
        "State that a migration must carry",
        f"Existing interfaces carry of the state after {first.name}: {', '.join(told)}.",
        tables,
        [asked.compare_command()],
    )
