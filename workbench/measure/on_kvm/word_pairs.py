"""Areas counted by two words: what became of them in the simulator, and on a real KVM."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from workbench.features import choose as choose_features
from workbench.lifecycle import choose_one as choose_event
from workbench.measure.on_kvm.runs import Measurement, Words, simulated_words
from workbench.measure.variants import variant

Pairs = Counter[tuple[str, str]]  #: (simulated, measured) -> number of areas


def pairs_of(simulated: Words, measured: Words) -> Pairs:
    """Return how many areas have each pair of words.

    Both sides say only how many areas of a feature have which word. So equal words are matched first, and of what is
    left the first with the first: as few areas differ as the numbers allow.
    """
    found: Pairs = Counter()
    for feature in dict.fromkeys((*simulated, *measured)):
        one, other = Counter(simulated.get(feature, {})), Counter(measured.get(feature, {}))
        same = one & other
        found.update({(word, word): number for word, number in same.items()})
        left = (sorted((counts - same).elements()) for counts in (one, other))
        found.update(zip(*left, strict=False))
    return found


def counted(found: Iterable[Measurement]) -> Pairs:
    """Return the pairs of all measurements that were run; raise WorkbenchError for a name that does not ship."""
    pairs: Pairs = Counter()
    for one in found:
        if one.not_run is None:
            names = None if one.features == "all" else one.features.split(",")
            words, _ = simulated_words(
                variant(one.protocol), choose_features(names), one.vcpus, choose_event(one.event)
            )
            pairs += pairs_of(words, one.words)
    return pairs


__all__ = ["Pairs", "counted", "pairs_of"]
