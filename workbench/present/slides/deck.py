"""The slides as one page: it needs no network and no Python; without scripts it is scrolled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from html import escape

from workbench.present.slides.ideas import IDEAS
from workbench.present.slides.slide import Slide
from workbench.present.web.style_sheet import asset as view_asset
from workbench.present.web.style_sheet import style
from workbench.present.web.view import document

TITLE = "How should a guest tell its host where shared memory is?"
ASSETS = __package__ or ""


def slides(progress: Callable[[int, int], None] | None = None) -> str:
    """Return the page: contents first, then one idea per screen. ``progress`` is called with (done, of all)."""
    made = []
    for number, idea in enumerate(IDEAS, 1):
        made.append(idea())
        if progress is not None:
            progress(number, len(IDEAS))
    return page(made)


def page(made: Sequence[Slide]) -> str:
    """Return the page of these slides; slide N is at #N, the contents at #0."""
    every = "\n".join(_slide(number, one, len(made)) for number, one in enumerate(made, 1))
    css = style() + view_asset("page.css") + view_asset("slides.css", ASSETS)
    return document(TITLE, css, f'<main class="pvw deck">\n{_contents(made)}\n{every}\n</main>',
                    view_asset("slides.js", ASSETS))  # fmt: skip


def _contents(made: Sequence[Slide]) -> str:
    lines = "".join(f'<li><a href="#{number}">{escape(one.question)}</a></li>' for number, one in enumerate(made, 1))
    return (
        f'<section id="0" class="slide"><h1>{TITLE}</h1><ol>{lines}</ol>'
        "<p>The arrow keys turn the slides; printed, each is a sheet. A picture is computed by a run; only the last "
        "has measured numbers in it. The command below a picture shows its run in full, and searches at more sizes.</p>"
        "</section>"
    )


def _slide(number: int, one: Slide, of: int) -> str:
    following = f'<a href="#{number + 1}" aria-label="next slide">›</a>' if number < of else "<span></span>"
    return f"""<section id="{number}" class="slide" aria-labelledby="q{number}">
<h2 id="q{number}">{escape(one.question)}</h2>
<div class="picture">{one.picture}</div>
<p class="sentence">{escape(one.sentence)}</p>
<footer><code>{escape(one.command)}</code>
<nav><a href="#{number - 1}" aria-label="slide before">‹</a> {number} of {of} {following}</nav></footer>
</section>"""


__all__ = ["page", "slides"]
