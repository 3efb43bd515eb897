"""Dry runs that were made before, each under the name of all that decides it.

Window, command line and engine look at the same place, so a recipe that was priced once
is priced at once from then on, wherever it is asked about.
"""

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.hardware import TrainingDevice
from studio.domain.memory.estimate import MemoryEstimate
from studio.domain.recipe import Recipe
from studio.protocol.codec import (
    WireError,
    decode_event,
    encode,
    heard_estimate,
    told_estimate,
)
from studio.protocol.events import MemoryEstimated
from studio.storage.documents import write_bytes_atomically

MOST_KEPT = 1_000
_PROGRAM = Path(__file__).resolve().parent.parent
# The rooms whose code decides a dry run's figures.
_DECIDING = ("domain", "engine")
# Options that decide nothing about memory.
_ASIDE = frozenset(
    {
        "model.name",
        "data.path",
        "data.format",
        "data.columns",
        "train.seed",
        "train.learning_rate",
    }
)


@dataclass(frozen=True, slots=True)
class KeptEstimates:
    """A folder of dry runs.

    Attributes:
        folder: Made on first use.
        versions: Of the libraries that a dry run goes through, by name, and what else
            of the machine decides it.
    """

    folder: Path
    versions: Mapping[str, str]

    def find(
        self, config: Mapping[str, object], recipe: Recipe, device: TrainingDevice
    ) -> MemoryEstimate | None:
        """The estimate of a recipe on a device; None where none is kept."""
        try:
            event = decode_event(self._place(config, recipe, device).read_bytes())
        except (OSError, WireError):
            return None
        return heard_estimate(event) if isinstance(event, MemoryEstimated) else None

    def keep(
        self,
        config: Mapping[str, object],
        recipe: Recipe,
        device: TrainingDevice,
        estimate: MemoryEstimate,
    ) -> None:
        """Keep an estimate; a disk that refuses costs only time."""
        place = self._place(config, recipe, device)
        with contextlib.suppress(StudioError):
            write_bytes_atomically(place, encode(told_estimate(estimate)))
            self._forget_oldest()

    def _place(
        self, config: Mapping[str, object], recipe: Recipe, device: TrainingDevice
    ) -> Path:
        values = recipe.to_values().items()
        document = {
            "program": program_fingerprint(),
            "versions": dict(self.versions),
            "config": config,
            "recipe": {key: value for key, value in values if key not in _ASIDE},
            "device": _deciding(device),
        }
        text = json.dumps(document, sort_keys=True)
        name = hashlib.sha256(text.encode()).hexdigest()
        return self.folder / f"{name}.json"

    def _forget_oldest(self) -> None:
        kept = list(self.folder.glob("*.json"))
        if len(kept) <= MOST_KEPT:
            return
        with contextlib.suppress(OSError):  # another program may forget the same ones
            kept.sort(key=lambda file: file.stat().st_mtime)
            for file in kept[: len(kept) - MOST_KEPT]:
                file.unlink()


@cache
def program_fingerprint() -> str:
    """A name for the code that makes estimates, so that none outlives a change of it.

    Returns:
        A digest of the sources; of nothing where the program came without them, when
        the versions alone tell estimates apart.
    """
    digest = hashlib.sha256()
    for room in _DECIDING:
        for file in sorted((_PROGRAM / room).rglob("*.py")):
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _deciding(device: TrainingDevice) -> object:
    """What of a device the figures depend on."""
    if device.kind != "cuda":
        return device.kind
    return [device.kind, device.total_bytes, device.compute_capability]
