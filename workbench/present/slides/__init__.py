"""Slides for a lecture: one idea per screen, each with a picture that a run has computed.

* ``ideas``: one file for each idea; it runs what it needs
* ``sequence``, ``words``: pictures that are HTML; others are figures (``figures.themed``)
* ``deck``: the page
"""

from workbench.present.slides.deck import slides

__all__ = ["slides"]
