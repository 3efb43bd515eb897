"""How a data set of the Hugging Face hub is named: ``hub:owner/name:config#split@rev``.

All behind the name may be left out. What is fetched becomes a file on this machine.
A repository that a model is pushed to is ``owner/name``, and a branch of it a word.
"""

import re
from dataclasses import dataclass
from typing import Final, Self

from studio.domain.errors import refusal

PREFIX: Final = "hub:"
_PART: Final = r"[A-Za-z0-9][\w.\-]{0,95}"
_WORD: Final = re.compile(
    rf"(?P<id>{_PART}/{_PART})(:(?P<config>[\w.\- +]+))?(#(?P<split>[\w.\-]+))?"
    r"(@(?P<revision>[\w.\-/]+))?"
)
_NO_OWNER: Final = frozenset({"buckets", "datasets", "models", "spaces"})


@dataclass(frozen=True, slots=True)
class HubName:
    """A data set of the hub, as far as it is named.

    Attributes:
        id: ``owner/name``.
        config: One of its configurations; empty for the only one.
        split: One of its splits; empty for the only one, or ``train``.
        revision: A branch, tag or commit; empty for the newest.
    """

    id: str
    config: str = ""
    split: str = ""
    revision: str = ""

    @classmethod
    def of(cls, word: str) -> Self:
        """Understand a name, with ``hub:`` before it or without.

        Raises:
            StudioError: It is none.
        """
        bare = word.strip().removeprefix(PREFIX)
        found = _WORD.fullmatch(bare)
        if found is None or found["id"].partition("/")[0] in _NO_OWNER:
            raise refusal(
                "hub.name",
                f"“{bare}” names no data set of the Hugging Face hub.",
                fix="Write owner/name as its page has it, such as "
                "hub:tatsu-lab/alpaca; then, where there are several, :configuration, "
                "#split and @revision.",
                where="data.path",
            )
        parts = found.groupdict(default="")
        return cls(parts["id"], parts["config"], parts["split"], parts["revision"])

    def word(self) -> str:
        """As a recipe keeps it."""
        rest = ((":", self.config), ("#", self.split), ("@", self.revision))
        return PREFIX + self.id + "".join(mark + part for mark, part in rest if part)


def is_hub_word(path: str) -> bool:
    """Whether a data file is named by the hub."""
    return path.lstrip().startswith(PREFIX)


_BRANCH: Final = re.compile(r"[A-Za-z0-9][\w.\-]*(/[A-Za-z0-9][\w.\-]*)*")
_ENDINGS: Final = (".git", ".", "-", ".lock")


def repository_name(word: str) -> str:
    """The name of a repository to push to, as the hub takes it.

    Raises:
        StudioError: It is none.
    """
    name = word.strip()
    is_one = re.fullmatch(f"{_PART}/{_PART}", name, re.ASCII) is not None
    if not is_one or "--" in name or ".." in name or name.endswith(_ENDINGS):
        raise refusal(
            "push.name",
            f"“{name}” is no name of a repository.",
            fix="Write owner/name, such as me/cheesemonger: letters, digits, “-”, “_” "
            "and “.”, neither doubled nor at an end.",
            where="--to",
        )
    return name


def branch_name(word: str) -> str:
    """The name of a branch to push to; empty for the main one.

    Raises:
        StudioError: It is none.
    """
    name = word.strip()
    if name and (
        _BRANCH.fullmatch(name) is None
        or ".." in name
        or name.startswith("refs/")
        or name.endswith(_ENDINGS)
    ):
        raise refusal(
            "push.branch",
            f"“{name}” is no name of a branch.",
            fix="Write a word such as main or v2; letters, digits, “-”, “_”, “.” and "
            "“/”.",
            where="--revision",
        )
    return name
