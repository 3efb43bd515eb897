"""The repository that an artefact goes to: looked at, and made where it is missing.

It is made private unless the user says otherwise, and who may see one that is there is
never changed.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from huggingface_hub import HfApi, constants
from huggingface_hub.errors import RepositoryNotFoundError
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # name varies

from studio.domain.errors import StudioError, refusal
from studio.engine.pushing.words import token_page
from studio.storage.push_files import Kind, Pushable
from studio.system.hub_token import HubToken

_PATIENCE_S: Final = 30.0
_MAIN: Final = constants.DEFAULT_REVISION
_ADAPTER_WEIGHTS: Final = "adapter_model.safetensors"
_MODEL: Final = "model"
_OF_MODELS: Final = (".safetensors", ".safetensors.index.json")
_READ: Final = "read"


@dataclass(frozen=True, slots=True)
class Found:
    """A repository as it is before a push.

    Attributes:
        is_private: Whether only those who may see it can.
        is_new: Whether it was made just now.
        commit: At the end of its branch.
        files: Names of all that it holds there.
    """

    is_private: bool
    is_new: bool
    commit: str
    files: frozenset[str]


def check_account(api: HfApi, name: str, token: HubToken) -> None:
    """Refuse a token that nobody knows, or that may only read.

    Raises:
        StudioError: It may only read.
        Exception: What the hub's library says of a wrong one.
    """
    told = api.whoami().get("auth", {}).get("accessToken", {})
    if told.get("role") == _READ:
        raise refusal(
            "hub.read-only",
            f"The token from {token.source} may only read.",
            fix=f"Make one with the right to write on {token_page()}.",
            where=name,
        )


def ready(api: HfApi, name: str, branch: str, *, is_public: bool) -> Found:
    """Find the repository and its branch, or make them.

    Args:
        api: Signed in.
        name: ``owner/name``.
        branch: Empty for the main one.
        is_public: Whether everybody may see what is pushed.

    Raises:
        StudioError: It is public, and that isn't wanted.
        Exception: What the hub's library refuses.
    """
    is_new = False
    try:
        told = api.model_info(name, timeout=_PATIENCE_S)
    except RepositoryNotFoundError:
        api.create_repo(name, private=not is_public, repo_type=_MODEL)
        is_new = True
        told = api.model_info(name, timeout=_PATIENCE_S)
    if not told.private and not is_public:
        raise _is_public(name, is_new=is_new)
    if branch and branch != _MAIN:
        api.create_branch(name, branch=branch, exist_ok=True)
        told = api.model_info(name, revision=branch, timeout=_PATIENCE_S)
    files = frozenset(each.rfilename for each in told.siblings or ())
    return Found(bool(told.private), is_new, str(told.sha or ""), files)


def refuse_mixing(name: str, found: Found, artefact: Pushable) -> None:
    """Refuse to put an adapter among a model's files, or the other way round.

    Loaded by the repository's name, one would be put on the other.

    Raises:
        StudioError: It would come to that.
    """
    has_model = any(_is_of_model(file) for file in found.files)
    has_adapter = _ADAPTER_WEIGHTS in found.files
    if artefact.kind is Kind.ADAPTER and has_model:
        raise _mixed(name, "an adapter", "a whole model")
    if artefact.kind.is_loaded_as_model and has_adapter:
        raise _mixed(name, "a whole model", "an adapter")


def left_over(found: Found, artefact: Pushable) -> list[str]:
    """Files of an earlier model that would be loaded in place of the new one's."""
    if not artefact.kind.is_loaded_as_model:
        return []
    new = {file.name for file in artefact.files}
    return sorted(x for x in found.files if _is_of_model(x) and x not in new)


def address_of(name: str, branch: str) -> str:
    """Of a repository's page."""
    behind = f"/tree/{branch}" if branch and branch != _MAIN else ""
    return f"{constants.ENDPOINT}/{name}{behind}"


def check_commit(api: HfApi, name: str, commit: str, wanted: Collection[str]) -> None:
    """Refuse a commit that lacks files; where the hub doesn't tell, its word stands.

    Raises:
        StudioError: It lacks some.
    """
    try:
        told = api.model_info(name, revision=commit, timeout=_PATIENCE_S)
    except (httpx.HTTPError, OSError):
        return
    refuse_incomplete(name, wanted, {each.rfilename for each in told.siblings or ()})


def refuse_incomplete(
    name: str, wanted: Collection[str], there: Collection[str]
) -> None:
    """Refuse a commit that lacks files.

    Raises:
        StudioError: It does.
    """
    missing = sorted(set(wanted) - set(there))
    if missing:
        raise refusal(
            "hub.incomplete",
            f"The repository left out {', '.join(missing)}.",
            why="A .gitignore of its own may say so.",
            fix="Take that file out of the repository, then push again.",
            where=name,
        )


def _is_of_model(file: str) -> bool:
    return file.startswith(_MODEL) and file.endswith(_OF_MODELS)


def _is_public(name: str, *, is_new: bool) -> StudioError:
    how = "can't be made private" if is_new else "is public"
    return refusal(
        "hub.public",
        f"The repository {name} {how}: everybody could read what is pushed.",
        why="Nothing was pushed.",
        fix="Choose another name, make it private on its page, or push it as public "
        "(--public).",
        where=name,
    )


def _mixed(name: str, what: str, there: str) -> StudioError:
    return refusal(
        "hub.other-kind",
        f"The repository holds {there}; {what} among its files would be loaded with "
        "it.",
        why="Nothing was pushed.",
        fix="Choose another name.",
        where=name,
    )
