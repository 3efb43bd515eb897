"""A llama.cpp of the user's own: its converter and its programs, where they lie."""

import os
import shutil
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from studio.system.paths import config_dir

VARIABLE = "SNUGTUNE_LLAMA_CPP"
SETTING = "llama_cpp"
_SCRIPT = "convert_hf_to_gguf.py"
# Where builds leave their programs, below a checkout of llama.cpp.
_BELOW = ("", "build/bin", "build/bin/Release", "bin")


@dataclass(frozen=True, slots=True)
class LlamaCpp:
    """What of llama.cpp is on this machine.

    Attributes:
        script: Its converter.
        quantizer: ``llama-quantize``.
        server: ``llama-server``.
    """

    script: Path | None = None
    quantizer: Path | None = None
    server: Path | None = None


def find_llama_cpp() -> LlamaCpp:
    """Look where the user says, and on the path otherwise."""
    return LlamaCpp(
        script=next(_named(_SCRIPT), None),
        quantizer=next(_named("llama-quantize", is_program=True), None),
        server=next(_named("llama-server", is_program=True), None),
    )


def told_folder() -> str:
    """Where the user says that llama.cpp lies: environment, then preferences."""
    if told := os.environ.get(VARIABLE):
        return told
    try:
        text = (config_dir() / "preferences.toml").read_text(encoding="utf-8")
        told = tomllib.loads(text).get(SETTING, "")
    except (OSError, ValueError):
        return ""
    return told if isinstance(told, str) else ""


def _named(name: str, *, is_program: bool = False) -> Iterator[Path]:
    told = told_folder()
    folders = [Path(told).expanduser() / each for each in _BELOW] if told else []
    folders += [Path(each) for each in os.environ.get("PATH", "").split(os.pathsep)]
    for folder in folders:
        if is_program:
            found = shutil.which(name, path=str(folder))
            if found:
                yield Path(found).absolute()
        elif (folder / name).is_file():
            yield (folder / name).absolute()
