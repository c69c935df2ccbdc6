"""Hosts that keep mappings of the areas and forget the dirty log, or enter it too early, or write when it is read."""

from workbench.core.relay import relayed
from workbench.core.steps import MarkDirty, Store, StoreMapped
from workbench.core.transition import encode
from workbench.history.broken.unlogged import PreemptedAtSave
from workbench.history.hostmap import unlogged
from workbench.protocols.per_feature import PerFeature

__all__ = ["Forgets", "MarksAfter", "MarksFirst", "PreemptedAtSave"]


class Forgets(PerFeature):
    """It writes payloads through a mapping."""

    name = "forgets"
    title = "mark_page_dirty forgotten"
    marks = False

    def deliver(self, cpu, feature):
        return unlogged(super().deliver(cpu, feature), marks=self.marks)


class MarksAfter(Forgets):
    """It marks the page dirty after each write, as it must."""

    name = "marks_after"
    title = "marked dirty after the write"
    marks = True


class MarksFirst(PerFeature):
    """It marks the page dirty before each write, so that a round may come between the two."""

    name = "marks_first"
    title = "marked dirty before the write"

    def deliver(self, cpu, feature):
        def marked_first(step):
            if type(step) is not Store:
                return (yield step)
            yield MarkDirty(step.gpa, len(encode(step)))
            return (yield StoreMapped(*step))

        return relayed(super().deliver(cpu, feature), marked_first)
