"""Sends an artefact's files, then makes one commit of all of them.

What was sent is found by its content, so a second try sends what is missing. The hub's
`upload_folder` would commit in batches, and a break between two would leave a model
without half of its weights under a good name.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from huggingface_hub import (
    CommitInfo,
    CommitOperationAdd,
    CommitOperationDelete,
    HfApi,
)
from huggingface_hub.utils import _xet_progress_reporting

from studio.engine.pushing.aside import Aside
from studio.engine.pushing.repository import refuse_incomplete
from studio.engine.session import Count, Session
from studio.storage.push_files import WEIGHTS

_REPORTER: Final = "XetUploadProgressReporter"
# What is smaller and no weights goes with the commit: a file ahead costs a request.
_AHEAD_BYTES: Final = 1 << 20


@dataclass(slots=True)
class Sent:
    """What a transfer tells of itself.

    Attributes:
        bytes: That had to be sent.
        is_told: Whether it told anything.
    """

    bytes: int = 0
    is_told: bool = False


@dataclass(frozen=True, slots=True)
class Shipment:
    """What goes up, and where.

    Attributes:
        api: Signed in.
        name: Of the repository.
        branch: Of it; None for the main one.
        parent: The commit that the new one follows; empty where there is none.
        message: Of the commit.
        files: To be sent.
        instead: Contents that go up in place of files, by name.
        removed: Names of files that the commit takes away.
        sent: Filled while sending.
    """

    api: HfApi
    name: str
    branch: str | None
    parent: str
    message: str
    files: tuple[Path, ...]
    instead: Mapping[str, bytes]
    removed: list[str]
    sent: Sent = field(default_factory=Sent)

    def send(self, session: Session, aside: Aside[Any]) -> CommitInfo:
        """Send everything and commit it.

        Raises:
            StudioError: The repository ignores a file.
            Interrupted: It was to end; nothing was committed.
            Exception: What the hub's library refuses.
        """
        additions = [self._addition(file) for file in self.files]
        total = sum(each.upload_info.size for each in additions)
        count = Count(session, "Sending the files", total, "bytes")
        for each in additions:
            if _goes_ahead(each):
                with _counted(count, each.upload_info.size, self.sent):
                    self._ahead(each)
                total -= each.upload_info.size
        with aside.committing():
            made = self._commit(additions)
        count.add(total)
        return made

    def _addition(self, file: Path) -> CommitOperationAdd:
        content = self.instead.get(file.name, str(file))
        return CommitOperationAdd(file.name, content)

    def _ahead(self, addition: CommitOperationAdd) -> None:
        self.api.preupload_lfs_files(
            self.name, [addition], revision=self.branch, free_memory=False
        )
        if getattr(addition, "_should_ignore", False):
            refuse_incomplete(self.name, [addition.path_in_repo], ())

    def _commit(self, additions: list[CommitOperationAdd]) -> CommitInfo:
        gone = [CommitOperationDelete(each, is_folder=False) for each in self.removed]
        return self.api.create_commit(
            self.name,
            [*additions, *gone],
            commit_message=self.message,
            revision=self.branch,
            parent_commit=self.parent or None,
        )


def _goes_ahead(addition: CommitOperationAdd) -> bool:
    is_large = addition.upload_info.size >= _AHEAD_BYTES
    return is_large or Path(addition.path_in_repo).suffix in WEIGHTS


@contextlib.contextmanager
def _counted(count: Count, size: int, sent: Sent) -> Iterator[None]:
    """Count the bytes of one file, as its transfer tells of them."""
    told = _Told(count, size, sent)
    names = vars(_xet_progress_reporting)
    before: Callable[..., object] | None = names.get(_REPORTER)
    if before is not None:
        names[_REPORTER] = lambda *_, **__: told
    try:
        yield
    finally:
        if before is not None:
            names[_REPORTER] = before
    told.end()


class _Told:
    """Stands where the library draws its bars."""

    def __init__(self, count: Count, size: int, sent: Sent) -> None:
        self._count, self._size, self._sent = count, size, sent
        self._done = self._gone = 0

    def update_progress(self, group: Any, _items: object) -> None:  # noqa: ANN401 - hf_xet's
        """Called by the transfer, a few times a second."""
        self._sent.is_told = True
        self._sent.bytes += group.total_transfer_bytes_completed - self._gone
        self._gone = group.total_transfer_bytes_completed
        self._reach(min(group.total_bytes_completed, self._size))

    def close(self) -> None:
        """Called at its end."""

    def end(self) -> None:
        """Say that the file is there."""
        self._reach(self._size)

    def _reach(self, done: int) -> None:
        if done > self._done:
            self._count.add(done - self._done)
            self._done = done
