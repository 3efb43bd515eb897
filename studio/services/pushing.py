"""What of an export can be pushed to a hub, and who would sign in: for the window."""

from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import StudioError
from studio.domain.finding import Finding
from studio.storage.push_files import Proof, artefacts_in, pushable
from studio.system.hub_token import find_token


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOffer:
    """One artefact of an export.

    Attributes:
        folder: Its own.
        files: How many would go up.
        size_bytes: Of them.
        left_out: Names of files that would stay here.
        doubt: Why it isn't proven, as a sentence; empty where it is, or needs no proof.
        refusal: Why it can't be pushed at all; None where it can.
    """

    folder: Path
    files: int = 0
    size_bytes: int = 0
    left_out: tuple[str, ...] = ()
    doubt: str = ""
    refusal: Finding | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushOffers:
    """All that a dialog asks about.

    Attributes:
        artefacts: Of the export, by name.
        token_from: Where the token was found, in words; empty without one.
    """

    artefacts: tuple[PushOffer, ...] = ()
    token_from: str = ""


_DOUBTS = {
    Proof.DIFFERS: "It doesn’t say what was trained; its certificate tells more.",
    Proof.MISSING: "Nobody has compared it with what was trained.",
}


def push_offers(export: Path) -> PushOffers:
    """Look at an export's folder and for a token; reads the disk, and may wait.

    Args:
        export: The folder that holds the artefacts.
    """
    token = find_token()
    return PushOffers(
        artefacts=tuple(_offer(folder) for folder in artefacts_in(export)),
        token_from="" if token is None else str(token.source),
    )


def _offer(folder: Path) -> PushOffer:
    try:
        found = pushable(folder)
    except StudioError as refused:
        return PushOffer(folder=folder, refusal=refused.finding)
    return PushOffer(
        folder=folder,
        files=len(found.files),
        size_bytes=found.size_bytes,
        left_out=found.left_out,
        doubt=_DOUBTS.get(found.proof, ""),
    )
