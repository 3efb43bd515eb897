"""Settings that hold for every test: neither a clock nor luck decides a property."""

import os

from hypothesis import HealthCheck, settings

# Windows of tests need no screen, whichever folder's tests are run.
os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

# Shared two-core machines stall for seconds; a property is judged by its truth. The
# examples follow from the test's text, so one commit is judged one way however often
# it is checked. New ones are sought with `--hypothesis-profile=hunt`.
settings.register_profile(
    "snugtune",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    "hunt",
    deadline=None,
    derandomize=False,
    max_examples=3000,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("snugtune")
