"""An adapter is worked into its base model: one model that needs no adapter.

The base is loaded afresh and unquantised, in fp32, and the product is added there:
merged into 4-bit weights the answers would change visibly. Only the result is rounded
to the format that was asked for.
"""

from pathlib import Path

import torch

from studio.domain.errors import StudioError, refusal
from studio.domain.run import Phase
from studio.engine.adapter_files import card_of, put_adapter, write_card
from studio.engine.devices import DTYPES
from studio.engine.model_card import merged_card
from studio.engine.model_loading import Model, load_plain
from studio.engine.model_preparation import prepared_folder
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.staging import need_space, whole_folder
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.events import Merged
from studio.storage.models import ModelPlace, is_model_folder
from studio.storage.run_directory import RunDirectory

# Tokenizer, configuration and card.
_REST_BYTES = 32 << 20


def merge(
    session: Session,
    run: RunDirectory,
    place: ModelPlace,
    target: Path,
    *,
    dtype: str = "bf16",
    overwrite: bool = False,
) -> None:
    """Merge a run's adapter and write the model, whole or not at all.

    Args:
        session: Where to report.
        run: Holds the adapter.
        place: Its base model.
        target: The folder to make.
        dtype: Of the written weights: bf16, fp16 or fp32.
        overwrite: A model that lies there makes room.

    Raises:
        StudioError: No adapter, a target that is taken or is the base, or no space.
    """
    refuse_whole(run)
    check_target(target, overwrite=overwrite)
    with session.lifeline.open():
        folder = prepared_folder(session, place)
        _spare_base(target, folder)
        stretch = run.read_recipe().model.stretch
        model = merged_model(session, folder, run.adapter_path, stretch)
        session.enter(Phase.SAVING)
        rounded = _rounded(model, DTYPES[dtype])
        size = sum(tensor.nbytes for tensor in rounded.parameters())
        need_space(target.parent, size + _REST_BYTES, "The merged model")
        with whole_folder(target, replace=True) as draft:
            with reported(session, "Writing the weights", "files"):
                rounded.save_pretrained(draft)
            load_tokenizer(run.adapter_path).save_pretrained(draft)
            write_card(draft, merged_card(card_of(run.adapter_path), dtype))
    written = sum(file.stat().st_size for file in target.iterdir())
    session.say(Merged(path=str(target), dtype=dtype, size_bytes=written))


def merged_model(
    session: Session, base: Path, adapter: Path, stretch: float = 1.0
) -> Model:
    """The base in fp32 with the adapter worked in.

    Args:
        session: Where to report.
        base: The base model's folder.
        adapter: The adapter's folder.
        stretch: Of the base's positions while it was trained.

    Raises:
        StudioError: Either is not there.
    """
    session.enter(Phase.LOADING_MODEL)
    with reported(session, "Loading the weights"):
        adapted = put_adapter(load_plain(base, torch.float32, stretch), adapter)
    session.enter(Phase.MERGING)
    merged: Model = adapted.merge_and_unload(progressbar=False, safe_merge=True)
    return merged


def refuse_whole(run: RunDirectory) -> None:
    """Refuse a run that trained all weights, and so left no adapter to merge.

    Raises:
        StudioError: It did.
    """
    if run.read_recipe().trains_all:
        raise refusal(
            "merge.whole",
            "This run trained all weights: its result is a whole model already.",
            fix="Use the folder model of the run as it is.",
            where=str(run.model_path),
        )


def check_target(target: Path, *, overwrite: bool) -> None:
    """Refuse a target that holds something, unless it is a model to be replaced.

    Raises:
        StudioError: It does.
    """
    if not target.exists() or (target.is_dir() and not any(target.iterdir())):
        return
    if not target.is_dir() or not is_model_folder(target):
        raise _taken(target, "and what is there is no model", "Choose another folder.")
    if not overwrite:
        raise _taken(target, "", "Choose another folder, or add --overwrite.")


def _spare_base(target: Path, base: Path) -> None:
    """Refuse to replace what is merged into: every other run of it would be lost."""
    if target.resolve() == base.resolve():
        raise refusal(
            "merge.target-is-base",
            "This folder holds the base model itself.",
            fix="Choose another folder.",
            where=str(target),
        )


def _rounded(model: Model, dtype: torch.dtype) -> Model:
    rounded = torch.nn.Module.to(model, dtype=dtype)
    if dtype is torch.float16:
        for name, tensor in rounded.named_parameters():
            if not torch.isfinite(tensor).all():
                raise refusal(
                    "merge.overflow",
                    f"The weights of {name} are too large for fp16.",
                    fix="Merge to bf16 or fp32.",
                    where="--dtype",
                )
    return rounded


def _taken(target: Path, more: str, fix: str) -> StudioError:
    what = f"This place is taken already {more}".strip() + "."
    return refusal("merge.target-exists", what, fix=fix, where=str(target))
