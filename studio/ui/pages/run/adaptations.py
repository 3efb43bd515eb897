"""What a run changed to take less memory, in the words of its page."""

from collections.abc import Iterable, Mapping
from typing import Final

from studio.domain.run import Adaptation, RunSnapshot

ADAPTED: Final = "run.adapted"
"""The findings of a journal that tell the same without a place."""
_ROWS, _BATCHES = "train.micro_batch", "train.accumulation"
_LABELS: Final[Mapping[str, str]] = {
    "train.checkpointing": "recomputing",
    "train.offload": "offloading",
}
_SENTENCES: Final[Mapping[str, str]] = {
    "train.checkpointing": "layers are recomputed",
    "train.offload": "what layers remember lies in main memory",
}

Marks = tuple[tuple[float, str], ...]


def adaptation_marks(snapshot: RunSnapshot) -> Marks:
    """Where the run took less: the step behind which, and how in short."""
    return tuple((float(each.step), _label(each)) for each in snapshot.adaptations)


def adaptation_words(adaptation: Adaptation) -> str:
    """What the run changed, as a sentence without a full stop."""
    return f"Takes less memory: {change_words(adaptation.changes)}"


def change_words(changes: Iterable[tuple[str, int, int]]) -> str:
    """What a relief changes, as a part of a sentence.

    Args:
        changes: (option, before, after) each.
    """
    told = list(changes)
    before = {key: value for key, value, _ in told}
    after = {key: value for key, _, value in told}
    parts = []
    if _ROWS in after:
        parts.append(f"{_batch(after)} rows in place of {_batch(before)}")
    parts += [_sentence(key, after[key]) for key in after if key not in _BATCH]
    return ", ".join(parts)


_BATCH: Final = frozenset({_ROWS, _BATCHES})


def _label(adaptation: Adaptation) -> str:
    after = {key: value for key, _, value in adaptation.changes}
    parts = [f"{_batch(after)} rows"] if _ROWS in after else []
    parts += [
        _LABELS.get(key, f"{key} {value:,}")
        for key, value in after.items()
        if key not in _BATCH
    ]
    return f"less memory: {', '.join(parts)}"


def _sentence(key: str, value: int) -> str:
    return _SENTENCES.get(key, f"{key} is {value:,}")


def _batch(values: Mapping[str, int]) -> str:
    """Rows at a time, and how often."""
    rows, batches = values[_ROWS], values.get(_BATCHES)
    return f"{rows:,}" if batches is None else f"{rows:,} × {batches:,}"
