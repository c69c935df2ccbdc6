"""Posts for a mailing list: plain ASCII of 72 columns that a maintainer reads in a terminal and answers inline.

A post begins with its claim in at most five lines, then come its parts (``parts``), verdict lines in the grammar of
kvm-unit-tests, footnotes, and what is needed to make it again. ``mail`` turns it into a reply to a mail.
"""

from workbench.present.post.mail import save
from workbench.present.post.post import Post, post

__all__ = ["Post", "post", "save"]
