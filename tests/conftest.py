"""Settings that hold for every test: no clock decides a property test."""

from hypothesis import HealthCheck, settings

# Shared two-core machines stall for seconds; a property is judged by its truth.
settings.register_profile(
    "snugtune", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("snugtune")
