"""What a model's folder tells of where it comes from: its hub's commit, its licence."""

import re
from pathlib import Path

_CACHED = "models--"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_FRONT_BYTES = 1 << 14
_FRONT = re.compile(r"---\s*\n(.*?)\n---", re.DOTALL)
_LICENCE = re.compile(r"^license:[ \t]*[\"']?([\w.+-]+)", re.MULTILINE)


def hub_commit(folder: Path) -> tuple[str, str] | None:
    """Whose files a folder of the Hugging Face cache holds: hub id and commit.

    None for any other folder.
    """
    repository = folder.parent.parent.name
    is_cached = folder.parent.name == "snapshots" and _COMMIT.fullmatch(folder.name)
    if not is_cached or not repository.startswith(_CACHED):
        return None
    return repository.removeprefix(_CACHED).replace("--", "/", 1), folder.name


def licence_in(folder: Path) -> str:
    """The licence that a model's card names; empty where it names none."""
    try:
        with (folder / "README.md").open("rb") as card:
            told = card.read(_FRONT_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
    front = _FRONT.match(told)
    named = _LICENCE.search(front[1]) if front else None
    return named[1] if named else ""
