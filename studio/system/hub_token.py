"""Where the token for the hub comes from: the environment, a keyring, the hub's store.

What is told of it is its source. The token itself goes from here to the library that
signs in, and into no event, file, argument or word.
"""

import importlib
import os
import threading
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

_VARIABLES: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")
_KEYRING: Final = "keyring"
KEYRING_ENTRY: Final = ("snugtune", "huggingface")
"""Service and user name of the entry in a keyring."""
# A locked keyring may wait for somebody to unlock it.
_PATIENCE_S: Final = 5.0


class TokenSource(StrEnum):
    """Where a token was found, in words."""

    ENVIRONMENT = "the environment variable HF_TOKEN"
    KEYRING = "the system’s keyring"
    STORE = "the hub’s own store (hf auth login)"


@dataclass(frozen=True, slots=True)
class HubToken:
    """A token and where it was found.

    Attributes:
        source: May be told.
        secret: May not; it isn't shown when this is printed.
    """

    source: TokenSource
    secret: str = field(repr=False)


def find_token() -> HubToken | None:
    """The token to sign in with; None without one."""
    for name in _VARIABLES:
        if secret := os.environ.get(name, "").strip():
            return HubToken(TokenSource.ENVIRONMENT, secret)
    if secret := _from_keyring():
        return HubToken(TokenSource.KEYRING, secret)
    if secret := _from_store():
        return HubToken(TokenSource.STORE, secret)
    return None


def _from_keyring() -> str:
    """What the keyring holds, where the package is there and answers in time."""
    try:
        keyring: Any = importlib.import_module(_KEYRING)
    except ImportError:
        return ""
    found: list[str] = []

    def ask() -> None:
        try:
            found.append(keyring.get_password(*KEYRING_ENTRY) or "")
        except Exception:  # noqa: BLE001 - backends of all makers; none is no token
            return

    asking = threading.Thread(target=ask, name="keyring", daemon=True)
    asking.start()
    asking.join(_PATIENCE_S)
    return found[0].strip() if found else ""


def _from_store() -> str:
    try:
        return _store().read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _store() -> Path:
    """Where huggingface_hub keeps it (its constants.py)."""
    if told := os.environ.get("HF_TOKEN_PATH"):
        return Path(told).expanduser()
    cache = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    home = os.environ.get("HF_HOME") or f"{cache}/huggingface"
    return Path(os.path.expandvars(home)).expanduser() / "token"
