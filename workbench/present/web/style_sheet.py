"""The style sheet of the views, with the colours that the figures have too."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from workbench.present.figures.style import FATE_TONES, LOOKS, TONES


@cache
def asset(name: str, package: str = __package__) -> str:
    """Return a script or a style sheet of a package that keeps some in ``assets``; of this one by default."""
    return (files(package) / "assets" / name).read_text(encoding="utf-8")


@cache
def style() -> str:
    """Return the sheet of every view."""
    own = " ".join(f"--p{at}: light-dark({look.colour}, {look.dark});" for at, look in enumerate(LOOKS))
    tones = "\n  ".join(
        f"--{name}-news: light-dark({one.fill}, {one.dark_fill}); --{name}-ink: light-dark({one.ink}, {one.dark_ink});"
        for name, one in TONES.items()
    )
    rules = "\n  ".join(
        f"{_classes(name)} {{ background: var(--{name}-news); color: var(--{name}-ink); }}" for name in TONES
    )
    return asset("views.css").replace("/*COLOURS*/", f"{own}\n  {tones}").replace("/*TONES*/", rules)


def _classes(tone: str) -> str:
    fates = [f".pvw-fate-{fate}" for fate, own in FATE_TONES.items() if own == tone]
    return ", ".join([f".pvw-tone-{tone}", *fates])


__all__ = ["asset", "style"]
