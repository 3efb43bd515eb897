"""What a hub and its libraries refuse of a push, each as one sentence and a way out."""

import contextlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from huggingface_hub import constants
from huggingface_hub.errors import (
    GatedRepoError,
    OfflineModeIsEnabled,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # name varies

from studio.domain.errors import StudioError, refusal
from studio.system.chat_address import is_this_machine
from studio.system.hub_token import HubToken

_STATUS: Final = re.compile(r"HTTP status \w+ error \((\d{3})\b")
_TOKEN: Final = re.compile(r"hf_[A-Za-z0-9]{8,}")
_MOST_SAID: Final = 200
_KEPT: Final = "Nothing was committed; what was sent is found there by the next try."
_ALL_OR_NOTHING: Final = (
    "All files were committed, or none; what was sent is found there by the next try."
)
_FULL: Final = frozenset({402, 413, 507})
_NO_SERVICE: Final = 500


@dataclass(frozen=True, slots=True)
class Words:
    """Puts faults of one push into words.

    Attributes:
        name: Of the repository.
        token: That was signed in with; its text is cut out of what others say.
    """

    name: str
    token: HubToken

    @contextlib.contextmanager
    def said(self) -> Iterator[None]:
        """Say what the hub and its libraries refuse inside.

        Raises:
            StudioError: Instead of their own errors.
        """
        try:
            yield
        except StudioError:
            raise
        except Exception as fault:  # noqa: BLE001 - put into words, whatever it is
            # Without its cause: theirs may quote what was sent.
            raise self._in_words(fault) from None

    def _in_words(self, fault: Exception) -> StudioError:
        if isinstance(fault, OfflineModeIsEnabled):
            return offline(self.name)
        if isinstance(fault, GatedRepoError):
            return self._gated()
        if isinstance(fault, RevisionNotFoundError):
            return self._no_branch()
        status = _status_of(fault)
        if status:
            return self._answered(status, fault)
        return self._unreachable() if _is_broken(fault) else self._refused(fault)

    def _answered(self, status: int, fault: Exception) -> StudioError:
        known: dict[int, Callable[[], StudioError]] = {
            401: self._wrong_token,
            403: lambda: self._denied(fault),
            404: lambda: self._denied(fault),
            409: self._taken,
            412: self._moved,
            429: self._too_often,
        }
        if status in known:
            return known[status]()
        if status in _FULL:
            return self._full(status, fault)
        return self._refused(fault) if status < _NO_SERVICE else self._failed(status)

    def _failed(self, status: int) -> StudioError:
        return refusal(
            "hub.failed",
            f"The hub answered with error {status}.",
            why=_KEPT,
            fix="Push again later.",
            where=self.name,
        )

    def _unreachable(self) -> StudioError:
        return refusal(
            "hub.unreachable",
            f"The hub ({constants.ENDPOINT}) can't be reached, or the line broke.",
            why=_ALL_OR_NOTHING,
            fix="Check the connection and push again; the rest alone is sent.",
            where=self.name,
        )

    def _wrong_token(self) -> StudioError:
        return refusal(
            "hub.token-wrong",
            f"The hub doesn't know the token from {self.token.source}.",
            why="It may have been withdrawn, or has run out.",
            fix=f"Make one with the right to write on {token_page()}, and set HF_TOKEN "
            "or sign in with hf auth login.",
            where=self.name,
        )

    def _denied(self, fault: Exception) -> StudioError:
        owner = self.name.partition("/")[0]
        return refusal(
            "hub.denied",
            f"The token from {self.token.source} has no right to write to {self.name}.",
            why=self.quoted(fault),
            fix=f"Name a repository of your own, or take a token with the right to "
            f"write for {owner} from {token_page()}.",
            where=self.name,
        )

    def _gated(self) -> StudioError:
        return refusal(
            "hub.gated",
            f"{self.name} is gated: its owner gives it only to accounts that agreed.",
            fix="Name a repository of your own.",
            where=self.name,
        )

    def _no_branch(self) -> StudioError:
        return refusal(
            "hub.revision",
            "The repository doesn't have this branch.",
            fix="Leave --revision out for the main one.",
            where=self.name,
        )

    def _taken(self) -> StudioError:
        return refusal(
            "hub.taken",
            f"The name {self.name} is taken, or somebody is making it just now.",
            fix="Push again, or choose another name.",
            where=self.name,
        )

    def _moved(self) -> StudioError:
        return refusal(
            "hub.moved",
            "Somebody else committed to the repository meanwhile.",
            why=_KEPT,
            fix="Look at its page, then push again.",
            where=self.name,
        )

    def _too_often(self) -> StudioError:
        return refusal(
            "hub.too-often",
            "The hub was asked too often and wants a rest.",
            why=_KEPT,
            fix="Push again in some minutes.",
            where=self.name,
        )

    def _full(self, status: int, fault: Exception) -> StudioError:
        return refusal(
            "hub.full",
            f"The hub has no room for this (error {status}): the account's storage is "
            "used up, or a file is too large.",
            why=self.quoted(fault) or _KEPT,
            fix=f"Free storage or raise its limit on {constants.ENDPOINT}"
            "/settings/billing, then push again.",
            where=self.name,
        )

    def _refused(self, fault: Exception) -> StudioError:
        return refusal(
            "hub.refused",
            "The hub doesn't take this.",
            why=self.quoted(fault),
            fix="Mend what it says, then push again.",
            where=self.name,
        )

    def quoted(self, fault: Exception) -> str:
        """What the hub itself said, in short and without any token."""
        told = str(getattr(fault, "server_message", None) or "").strip()
        if not told and _status_of(fault):
            return ""
        lines = (told or str(fault)).strip().splitlines()
        said = lines[0] if lines else type(fault).__name__
        said = _TOKEN.sub("hf_…", said.replace(self.token.secret, "…"))
        return said[:_MOST_SAID].rstrip(".") + "."


def token_page() -> str:
    """Where an account's tokens are made."""
    return f"{constants.ENDPOINT}/settings/tokens"


def offline(name: str) -> StudioError:
    """That the user's own setting forbids the connection."""
    return refusal(
        "hub.offline",
        "The hub may not be asked: HF_HUB_OFFLINE is set.",
        fix="Remove HF_HUB_OFFLINE from the environment.",
        where=name,
    )


def is_safe(endpoint: str) -> bool:
    """Whether nobody on the way to a hub can read a token, or the hub is right here."""
    where = urlsplit(endpoint)
    return where.scheme == "https" or is_this_machine(where.hostname or "")


def unsafe(name: str) -> StudioError:
    """That a token would go through the network in the clear."""
    return refusal(
        "hub.plain",
        f"The hub at {constants.ENDPOINT} is reached without encryption.",
        why="Anybody on the way could read the token.",
        fix="Set HF_ENDPOINT to an address that begins with https://, or remove it.",
        where=name,
    )


def no_token(name: str) -> StudioError:
    """That nobody can sign in."""
    return refusal(
        "hub.no-token",
        "There is no token to sign in to the hub with.",
        fix=f"Make one with the right to write on {token_page()}, and set HF_TOKEN or "
        "sign in with hf auth login.",
        where=name,
    )


def _status_of(fault: BaseException) -> int:
    """The status of an answer, wherever it stands; 0 without one.

    The transfer's own library tells it in the text of a broken connection alone.
    """
    seen: BaseException | None = fault
    while seen is not None:
        status = getattr(getattr(seen, "response", None), "status_code", 0)
        told = _STATUS.search(str(seen))
        if status or told:
            return int(status or (told[1] if told else 0))
        seen = seen.__cause__
    return 0


def _is_broken(fault: BaseException) -> bool:
    seen: BaseException | None = fault
    while seen is not None:
        if isinstance(seen, ConnectionError | httpx.TransportError | TimeoutError):
            return True
        seen = seen.__cause__
    return False
