"""What comes of old and new guests, kernels and VMMs together, at boot and when the machine moves."""

from __future__ import annotations

from workbench.measure.skew.table import bad_share, by_the_rules, cells, rows
from workbench.measure.variants import features_of
from workbench.present.post.asked import Asked
from workbench.present.post.section import Section
from workbench.present.text.command_line import option_pieces
from workbench.present.text.skew import NAMES, reasons, table, wrapped

PARTS = ("boot", "move")


def section(asked: Asked, words: str) -> Section:
    """Return the tables of the runs at boot and across a migration, and why something is lost."""
    names = dict(zip((one.label for one in asked.variants), asked.named, strict=True))
    found = []
    for one in asked.variants:
        areas = [feature for feature in asked.of(one) if feature in features_of(one)] or None
        found += rows([one], areas, PARTS, named=names, progress=asked.say.counting("combinations"))
    several, ruled = cells(found), by_the_rules(found)
    told = ", ".join(f"{label} {bad} of {of}" for label in names for bad, of in [bad_share(ruled, label)])
    return Section(
        "Version skew",
        f"Where CPUID says what is known and the guest heeds it, lost or worse in {told} runs "
        "(1 vCPU, each feature alone).",
        [
            *(table(several, part, short=True) for part in PARTS),
            "\n".join(line for text in NAMES[:3] for line in wrapped(text, "  ")) + "\n",
            *reasons(found, commands=False),
        ],
        [("workbench skew", *option_pieces("--protocols", asked.named), "--about boot,move")],
        sources=[
            'KVM-HDR 01/16, January 2011, kept headers apart "to facilitate backports to people who wants to backport '
            'the kernel part but not the hypervisor, or the other way around"',
        ],
        short=f"Version skew, CPUID heeded: lost or worse in {told} runs.",
    )
