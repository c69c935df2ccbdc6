"""A Hypothesis profile for runs that only ask whether a law fails: the first failing example is enough.

A pytest plugin (``-p tests.mutation.unshrunk``), so that it is known before tests/conftest.py loads a profile.
"""

from hypothesis import Phase, settings

PROFILE = "unshrunk"
settings.register_profile(PROFILE, derandomize=True, deadline=None, phases=(Phase.explicit, Phase.generate))
