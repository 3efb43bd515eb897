"""A data set of the hub before its rows are fetched: found, narrowed down, trusted.

Only files of data are read. A repository can bring a script, which is refused, and a
page of settings that names files anywhere, which may only be its own.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import datasets
from datasets.exceptions import (
    DataFilesNotFoundError,
    DatasetNotFoundError,
    DatasetsError,
)
from huggingface_hub import HfApi, constants
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils import httpx  # type: ignore[attr-defined]  # name varies

from studio.domain.errors import StudioError, refusal
from studio.domain.hub_names import HubName

_PATIENCE_S: Final = 30.0
_READERS: Final = frozenset({"json", "csv", "parquet", "arrow", "text"})
_USUAL_CONFIG: Final = "default"
_USUAL_SPLIT: Final = "train"
_NAMED: Final = 12
_TOKEN: Final = re.compile(r"hf_[A-Za-z0-9]{8,}")
_OF_LIBRARIES: Final = (DatasetsError, ValueError, RuntimeError, TypeError, ImportError)
_DENIED: Final = frozenset({401, 403})


@dataclass(frozen=True, slots=True)
class HubSource:
    """A data set that can be fetched.

    Attributes:
        name: In full; its revision is the commit.
        builder: Of datasets, which reads its files.
        rows: As its page says; 0 when it doesn't.
        size_bytes: Of its rows, as its page says; 0 when it doesn't.
        other_splits: Beside the one that is named.
    """

    name: HubName
    builder: Any
    rows: int
    size_bytes: int
    other_splits: Sequence[str]

    @classmethod
    def of(cls, asked: HubName) -> "HubSource":
        """Find what a name means.

        Raises:
            StudioError: There is no connection, no such data set, it isn't given to
                this user, or the name leaves a choice.
        """
        with hub_words(asked):
            commit = _commit_of(asked)
            where = f"hf://datasets/{asked.id}"  # never a folder of that name here
            configs = datasets.get_dataset_config_names(where, revision=commit)
            config = _config_of(asked, configs)
            builder = datasets.load_dataset_builder(where, config, revision=commit)
            refuse_foreign(asked, builder, commit)
            told = builder.info.splits or {}
            splits = [str(each) for each in builder.config.data_files or told]
        split = _split_of(asked, config, splits)
        name = replace(asked, config=config, split=split, revision=commit)
        size = told.get(split)
        return cls(
            name,
            builder,
            rows=getattr(size, "num_examples", 0) or 0,
            size_bytes=getattr(size, "num_bytes", 0) or 0,
            other_splits=[each for each in splits if each != split],
        )


@contextlib.contextmanager
def hub_words(name: HubName) -> Iterator[None]:
    """Put what the hub and its libraries refuse into words.

    Raises:
        StudioError: Instead of their own errors.
    """
    try:
        yield
    except StudioError:
        raise
    except (OfflineModeIsEnabled, ConnectionError, httpx.TransportError) as fault:
        raise _unreachable(name) from fault
    except GatedRepoError as fault:
        raise _gated(name) from fault
    except RepositoryNotFoundError as fault:
        raise _unknown(name) from fault
    except RevisionNotFoundError as fault:
        raise _no_revision(name) from fault
    except DatasetNotFoundError as fault:
        gated = "gated" in str(fault)
        raise (_gated(name) if gated else _unknown(name)) from fault
    except (HfHubHTTPError, httpx.HTTPError) as fault:
        raise _answered_badly(name, fault) from fault
    except (DataFilesNotFoundError, FileNotFoundError) as fault:
        raise _no_data(name) from fault
    except (*_OF_LIBRARIES, OSError) as fault:
        raise _unusable(name, fault) from fault


def page_of(name: HubName) -> str:
    """The address of a data set's page."""
    return f"{constants.ENDPOINT}/datasets/{name.id}"


def _commit_of(name: HubName) -> str:
    """The commit that a name means; a script beside the data is refused."""
    if constants.HF_HUB_OFFLINE:
        raise OfflineModeIsEnabled
    info = HfApi().dataset_info(
        name.id, revision=name.revision or None, timeout=_PATIENCE_S
    )
    files = {each.rfilename for each in info.siblings or ()}
    script = f"{name.id.rpartition('/')[2]}.py"
    if script in files:
        raise refusal(
            "hub.script",
            f"The data set is read by a program of its own, {script}.",
            why="Programs out of a hub are never run.",
            fix="Choose a data set that consists of JSON, CSV, Parquet, Arrow or text "
            "files, or a revision such as @refs/convert/parquet.",
            where=name.word(),
        )
    return str(info.sha)


def _config_of(name: HubName, configs: Sequence[str]) -> str:
    if name.config in configs:
        return name.config
    if not name.config and len(configs) == 1:
        return configs[0]
    if not name.config and _USUAL_CONFIG in configs:
        return _USUAL_CONFIG
    had = f"has no configuration “{name.config}”" if name.config else "has several"
    what = f"The data set {had}" + ("." if name.config else " configurations.")
    raise refusal(
        "hub.config",
        what,
        why=f"It has: {_listed(configs)}.",
        fix=f"Name one, such as {replace(name, config=configs[0]).word()}.",
        where=name.word(),
    )


def _split_of(name: HubName, config: str, splits: Sequence[str]) -> str:
    if name.split in splits:
        return name.split
    if not name.split and len(splits) == 1:
        return splits[0]
    if not name.split and _USUAL_SPLIT in splits:
        return _USUAL_SPLIT
    if not splits:
        raise _no_data(name)
    what = "The data set has several splits, and none is called train."
    if name.split:
        what = f"The data set has no split “{name.split}”."
    one = replace(name, config=config, split=splits[0])
    raise refusal(
        "hub.split",
        what,
        why=f"It has: {_listed(splits)}.",
        fix=f"Name one, such as {one.word()}.",
        where=name.word(),
    )


def refuse_foreign(name: HubName, builder: Any, commit: str) -> None:  # noqa: ANN401 - of datasets
    """Refuse readers that unpack programs, and files outside the repository."""
    reader = type(builder).__module__.rpartition(".")[2]
    if reader not in _READERS:
        raise refusal(
            "hub.kind",
            f"The data set consists of files of another kind ({reader}).",
            why="Text is learnt from: JSON, CSV, Parquet, Arrow or text files.",
            fix="Choose another data set or configuration.",
            where=name.word(),
        )
    own = f"hf://datasets/{name.id}@{commit}/".casefold()
    files = [
        file for some in (builder.config.data_files or {}).values() for file in some
    ]
    foreign = [file for file in files if not _innermost(file).startswith(own)]
    if foreign or any(".." in file for file in files):
        raise refusal(
            "hub.foreign-file",
            "The data set's settings name files outside its own folder.",
            why="Such a file may be one of yours.",
            fix="Choose another data set or revision.",
            where=name.word(),
        )


def _innermost(file: str) -> str:
    """The address behind those of archives, such as ``gzip://a::hf://…``."""
    return file.rpartition("::")[2].casefold()


def _listed(names: Sequence[str]) -> str:
    more = len(names) - _NAMED
    return ", ".join(names[:_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _unreachable(name: HubName) -> StudioError:
    if constants.HF_HUB_OFFLINE:
        return refusal(
            "hub.offline",
            "The hub may not be asked: HF_HUB_OFFLINE is set.",
            fix="Remove HF_HUB_OFFLINE from the environment, or download the data "
            "set's files elsewhere and choose them as a folder.",
            where=name.word(),
        )
    return refusal(
        "hub.unreachable",
        f"The hub ({constants.ENDPOINT}) can't be reached.",
        why="Nothing was fetched.",
        fix="Check the connection, or download the data set's files elsewhere and "
        "choose them as a folder.",
        where=name.word(),
    )


def _gated(name: HubName) -> StudioError:
    return refusal(
        "hub.gated",
        "The data set is gated: its owner gives it only to accounts that agreed.",
        fix=f"Agree on {page_of(name)}, then sign in on this machine with hf auth "
        "login, or set HF_TOKEN.",
        where=name.word(),
    )


def _unknown(name: HubName) -> StudioError:
    return refusal(
        "hub.unknown",
        f"The hub has no data set {name.id}, or it is private.",
        fix="Check the name on its page; for a private one sign in on this machine "
        "with hf auth login, or set HF_TOKEN.",
        where=name.word(),
    )


def _no_revision(name: HubName) -> StudioError:
    return refusal(
        "hub.revision",
        f"The data set has no revision “{name.revision}”.",
        fix="Name a branch, tag or commit of it, or none for the newest.",
        where=name.word(),
    )


def _answered_badly(name: HubName, fault: Exception) -> StudioError:
    status = getattr(getattr(fault, "response", None), "status_code", 0)
    if status in _DENIED:
        return _unknown(name)
    told = f" with error {status}" if status else " badly"
    return refusal(
        "hub.failed",
        f"The hub answered{told}.",
        why=_first_line(fault),
        fix="Try again later.",
        where=name.word(),
    )


def _no_data(name: HubName) -> StudioError:
    return refusal(
        "hub.no-data",
        "The data set holds no file that can be read as rows.",
        fix=f"Look at its files on {page_of(name)}, and choose another data set.",
        where=name.word(),
    )


def _unusable(name: HubName, fault: Exception) -> StudioError:
    return refusal(
        "hub.unreadable",
        "The data set's files can't be read as rows.",
        why=_first_line(fault),
        fix=f"Look at its files on {page_of(name)}, and choose another configuration, "
        "or download the files and choose them as a folder.",
        where=name.word(),
    )


def _first_line(fault: Exception) -> str:
    lines = str(fault).strip().splitlines()
    said = _TOKEN.sub("hf_…", lines[0] if lines else type(fault).__name__)
    return said[:200].rstrip(".") + "."
