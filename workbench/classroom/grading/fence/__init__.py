"""A fence around a process that runs a student's code: what it may read, write, call and use is held by the kernel.

A process puts itself behind the fence (``fenced``) and cannot leave it, whatever it runs then. Nothing here needs
privileges; the superuser loses its own. What each part is for: docs/grading.md.
"""

from workbench.classroom.grading.fence.fence import Limits, fenced, why_not

__all__ = ["Limits", "fenced", "why_not"]
