"""What is asked for when an artefact is pushed."""

from dataclasses import dataclass
from pathlib import Path

from studio.storage.push_files import Pushable


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOrder:
    """An artefact and where it shall go.

    Attributes:
        folder: The artefact's, absolute.
        name: Of the repository, ``owner/name``.
        branch: Of it; empty for the main one.
        message: Of the commit; empty for the usual one.
        is_public: Whether everybody may see what is pushed.
        accepts_unproven: Whether a model goes up that isn't proven.
    """

    folder: Path
    name: str
    branch: str = ""
    message: str = ""
    is_public: bool = False
    accepts_unproven: bool = False

    def message_about(self, artefact: Pushable) -> str:
        """Of the commit."""
        of = f" of {artefact.run}" if artefact.run else ""
        return self.message.strip() or f"Push the {artefact.kind}{of}"
