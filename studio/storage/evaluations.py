"""Evaluations on disk: a document each, in a folder of their run."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from studio.domain.errors import refusal
from studio.domain.evaluation import Evaluation
from studio.storage.disk import unreadable
from studio.storage.documents import write_bytes_atomically
from studio.storage.names import slug

FOLDER: Final = "evaluations"
_FORM: Final = 1
_MOST_BYTES: Final = 256 << 20


def free_name(folder: Path, data: str) -> str:
    """A name that no report of a folder has.

    Args:
        folder: Holds reports; it may be missing.
        data: The file that is measured with; empty for the run's own rows.
    """
    base = slug(Path(data).stem, "data") if data else "held-out"
    names = itertools.chain([base], (f"{base}-{n}" for n in itertools.count(2)))
    return next(name for name in names if not (folder / f"{name}.json").exists())


def write_evaluation(folder: Path, evaluation: Evaluation) -> Path:
    """Write the document of an evaluation, whole or not at all.

    Returns:
        Its path.

    Raises:
        StudioError: The disk is full or may not be written.
    """
    path = folder / f"{evaluation.name}.json"
    document = msgspec.json.format(msgspec.json.encode(evaluation), indent=1)
    write_bytes_atomically(path, document + b"\n")
    return path


def read_evaluation(path: Path) -> Evaluation:
    """Read one.

    Raises:
        StudioError: It is missing, none, or of a newer Snugtune.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES)
    except OSError as fault:
        raise unreadable(fault, path) from fault
    try:
        found = msgspec.json.decode(content, type=Evaluation)
    except (msgspec.MsgspecError, RecursionError) as fault:
        raise refusal(
            "evaluation.unreadable",
            f"This evaluation can’t be read: {fault}.",
            fix="Evaluate the run again.",
            where=str(path),
        ) from fault
    if found.form > _FORM:
        raise refusal(
            "evaluation.newer",
            "This evaluation was written by a newer Snugtune.",
            fix="Update Snugtune; the file was left as it is.",
            where=str(path),
        )
    return found


def evaluations_in(run: Path) -> Sequence[Path]:
    """The documents of a run's evaluations, the latest first."""
    try:
        found = [(path.stat().st_mtime, path) for path in (run / FOLDER).glob("*.json")]
    except OSError:
        return ()
    return [path for _, path in sorted(found, reverse=True)]
