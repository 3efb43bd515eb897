"""What a model's folder tells beside config and weights: template and licence."""

import re
from pathlib import Path

from studio.domain.errors import StudioError
from studio.storage.bounded_files import read_beginning, read_object

_TEMPLATES = ("chat_template.jinja", "chat_template.json")
_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(?:\n|\Z)", re.DOTALL)
_MOST_WORD, _MOST_SENTENCE = 80, 300


def has_template(folder: Path) -> bool:
    """Whether a chat template comes with the tokenizer."""
    if any((folder / name).is_file() for name in _TEMPLATES):
        return True
    try:
        told = read_object(folder / "tokenizer_config.json").get("chat_template")
    except StudioError:
        return False
    return bool(told) and isinstance(told, str | list)


def licence_of(folder: Path) -> str:
    """The licence in the front matter of the README; empty when it names none."""
    matter = _FRONT_MATTER.match(read_beginning(folder / "README.md"))
    if matter is None:
        return ""
    named: dict[str, str] = {}
    for line in matter[1].splitlines():
        key, colon, value = line.partition(":")
        if colon and key in {"license", "license_name"}:
            named[key] = short_word(value.strip().strip("\"'"))
    if named.get("license") in {None, "", "other"}:
        return named.get("license_name") or named.get("license", "")
    return named["license"]


def short_word(told: object) -> str:
    """A short word of a stranger, fit for a terminal; empty for anything else."""
    return printable(told)[:_MOST_WORD] if isinstance(told, str) else ""


def printable(told: str) -> str:
    """A sentence without anything that a terminal would obey."""
    return "".join(each for each in told[:_MOST_SENTENCE] if each.isprintable())
