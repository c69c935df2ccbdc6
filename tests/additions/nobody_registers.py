"""A failure, made up so that it is sure to be found: that an area is registered at all."""

from workbench.checking.failures.failure import Failure

SOMETHING_IS_SERVED = Failure(
    "F90",
    "something-is-served",
    "always",
    lambda facts: all(facts.live(place) is None for place in facts.places()),
    what="The host serves an area.",
    why="It is no failure; whoever wants to see one found in every protocol has one here.",
    example="A guest boots.",
    seen="everywhere",
)
