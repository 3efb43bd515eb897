"""Shapes of published models, as their config.json files have them, for all tests."""

import json
from pathlib import Path

_LISTED = json.loads(
    (Path(__file__).parent / "bench" / "data" / "model_configs.json").read_text("utf-8")
)["models"]


def published_config(name: str) -> dict[str, object]:
    """The config of a model of bench/data/model_configs.json."""
    return dict(_LISTED[name]["config"])


def published_weights(name: str) -> int:
    """How many weights it was published with."""
    return _LISTED[name]["parameters"]
