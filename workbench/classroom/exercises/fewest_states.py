"""Find a planted fault with one question to the explorer, and keep the model small."""

from typing import Any

from workbench.checking.failures import FAILURES
from workbench.classroom.answers import a_dict, a_list, a_number, a_text
from workbench.classroom.designs.planted import NUMBERS, Planted, Sound
from workbench.classroom.exercise import Exercise, Judged
from workbench.classroom.runs import Searched, searched
from workbench.engines.explore import BOUNDED
from workbench.lifecycle import EVENTS
from workbench.measure.variants import Variant

KEYS = ("event", "features", "vcpus", "property")
#: A question passes if its model has no more states; the search is ended a little above the largest useful one.
MOST_STATES, ENDS_AT = 10_000, 50_000
NAMES = [failure.name for failure in FAILURES.values() if failure.kind == "always"]


class FewestStates(Exercise):
    """One line of the design is wrong; the question must show it, and the same design without the fault must hold."""

    name, number = "fewest-states", 8
    title = "Find the planted bug with the fewest states explored"
    aim = "choose the event, the size and the property that show a fault, and leave out everything else"
    minutes, points = 15, 10
    knows = ("notebook 06: what the explorer visits", "exercise double-fetch")
    hints = (
        "Read `keep` and its callers. Which argument is missing in one of the calls, and on which vCPU does that make "
        "no difference?",
        "The fault needs a vCPU other than 0 that revokes an area, while vCPU 0 goes on using its own. In which event "
        "does one vCPU go away in good order?",
        "Every feature multiplies the states. One is enough, and the smallest payload has the fewest steps.",
    )

    def judge(self, answer: Any) -> Judged:
        """Explore the question for the design with the fault, and for the same design without it."""
        chosen = a_dict(answer, "the answer", KEYS)
        event, failure = a_text(chosen["event"], "event", list(EVENTS)), a_text(chosen["property"], "property", NAMES)
        features = [a_text(one, "feature", list(NUMBERS)) for one in a_list(chosen["features"], "features")]
        vcpus = a_number(chosen["vcpus"], "vcpus", least=1, most=4)

        def ask(kind: type[Planted]) -> Searched:
            return searched(Variant.of(kind), event, features, failure, vcpus=vcpus, max_states=ENDS_AT)

        found = ask(Planted)
        states, again = found.exploration.result.states, self.again(event, features, vcpus, failure)
        if not found.fails:
            searched_all = "the search was ended" if found.verdict == BOUNDED else "all there are"
            said = f"{failure} was not found under {event}, in {states:,} states ({searched_all})"
            return Judged(False, said, again)
        if ask(Sound).fails:
            said = f"{failure} occurs under {event} in the design without the fault too; so it is not the planted one"
            return Judged(False, said, again, found.trace)
        if states > MOST_STATES:
            said = f"the fault was found, but this model has {states:,} states, and at most {MOST_STATES:,} are allowed"
            return Judged(False, said, again)
        return Judged(True, f"{failure} under {event}, found in a model of {states:,} states", again, found.trace)

    def again(self, event: str, features: list[str], vcpus: int, failure: str) -> str:
        """Return the call that asks the same question."""
        return f"search(Variant.of(Planted), {event!r}, {features!r}, vcpus={vcpus}, failure={failure!r})"
