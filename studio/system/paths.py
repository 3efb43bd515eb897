"""Where a user's files go; `SNUGTUNE_HOME` moves all of them to one folder."""

import os
from pathlib import Path

import platformdirs

_APP = "snugtune"
HOME_VARIABLE = "SNUGTUNE_HOME"


def data_dir() -> Path:
    """Projects and their runs: what a user would miss."""
    return _home("data") or Path(platformdirs.user_data_dir(_APP, appauthor=False))


def cache_dir() -> Path:
    """What can be made again, such as converted models."""
    return _home("cache") or Path(platformdirs.user_cache_dir(_APP, appauthor=False))


def config_dir() -> Path:
    """Preferences."""
    return _home("config") or Path(platformdirs.user_config_dir(_APP, appauthor=False))


def projects_dir() -> Path:
    """One folder a project."""
    return data_dir() / "projects"


def queue_dir() -> Path:
    """Runs that wait for their turn."""
    return data_dir() / "queue"


def models_dir() -> Path:
    """Models that were converted from another format."""
    return cache_dir() / "models"


def estimates_dir() -> Path:
    """Dry runs that were made before."""
    return cache_dir() / "estimates"


def data_indexes_dir() -> Path:
    """What was found in data sets: where their rows are, and how long."""
    return cache_dir() / "data"


def hub_data_dir() -> Path:
    """Data sets that were fetched from a hub."""
    return cache_dir() / "hub-data"


def tokenizers_dir() -> Path:
    """Tokenizers of models that are still to be converted."""
    return cache_dir() / "tokenizers"


def measurements_path() -> Path:
    """What runs and probes on this machine really took."""
    return data_dir() / "measurements.jsonl"


def _home(part: str) -> Path | None:
    home = os.environ.get(HOME_VARIABLE)
    return Path(home).expanduser().absolute() / part if home else None
