"""The simulator against a real KVM, as it was recorded."""

from __future__ import annotations

from workbench.measure.on_kvm import measured_file, word_pairs
from workbench.present.figures import figures
from workbench.present.figures.themed import inline
from workbench.present.slides.slide import Slide


def slide() -> Slide:
    """Simulate every run that was measured, and count the areas that had the same fate."""
    found = measured_file.all_measured_files()[-1]
    pairs = word_pairs.counted(found.events)
    runs = sum(one.not_run is None for one in found.events)
    differing = sum(count for (one, other), count in pairs.items() if one != other)
    about = f"every area of {runs} runs; Linux {found.host['kernel']}, {found.host['module']}"
    return Slide(
        "Does the simulator agree with a real KVM?",
        inline(figures.agreement(pairs, about, size="projector"), "areas by simulated and by measured fate"),
        f"In {runs} runs, {differing} of {sum(pairs.values())} areas had another fate than in the simulator; this says "
        "nothing of kernels that were not measured.",
        "workbench page measured -o measured.html",
    )
