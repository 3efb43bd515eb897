"""What an exported model's folder says of where it comes from."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from studio.domain.errors import refusal

ORIGIN = "snugtune.json"
_MOST_BYTES = 1 << 16


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an exported model comes from.

    Attributes:
        run: The run's name.
        format: Of its weights.
        adapter_sha256: Of the adapter's weight file that was merged.
        converted_from: The format of the merged model that a file of another kind was
            made of; empty for a merged model.
        as_trained: Whether the adapter was merged into what the base was in training,
            4 bits unpacked, instead of into its own weights.
    """

    run: str
    format: str
    adapter_sha256: str
    converted_from: str = ""
    as_trained: bool = False


def write_origin(folder: Path, origin: Origin) -> None:
    """Write it into a folder that is being filled."""
    told = {name: value for name, value in asdict(origin).items() if value}
    text = json.dumps(told, indent=2) + "\n"
    (folder / ORIGIN).write_text(text, encoding="utf-8")


def read_origin(folder: Path) -> Origin:
    """Read it.

    Raises:
        StudioError: The folder doesn't say where it comes from.
    """
    try:
        with (folder / ORIGIN).open("rb") as file:
            told = json.loads(file.read(_MOST_BYTES))
        run, form, digest = told["run"], told["format"], told["adapter_sha256"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise refusal(
            "parity.no-origin",
            "This folder doesn’t say which run it was made from.",
            fix="Name the run: snugtune verify FOLDER --run RUN.",
            where=str(folder),
        ) from None
    converted_from = str(told.get("converted_from", ""))
    as_trained = told.get("as_trained") is True
    return Origin(str(run), str(form), str(digest), converted_from, as_trained)
