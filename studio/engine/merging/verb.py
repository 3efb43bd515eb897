"""What ``merge`` does, from a run to a model that needs no adapter.

The product is added to the unquantised base in fp32: merged into 4-bit weights the
answers would change visibly. Only the result is rounded to the format that was asked
for. Who must match training exactly has it added to what these weights stood for. An
adapter that makes good what 4 bits lost (LoftQ) always is: on the unquantised weights
it would count twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import peft
import torch
from transformers import GenerationConfig

from studio.domain.errors import StudioError, refusal
from studio.domain.hardware import MIB
from studio.domain.run import Phase
from studio.engine.adapter_files import card_of, refuse_without_adapter, write_card
from studio.engine.devices import DTYPES
from studio.engine.merging.arithmetic import AdapterParts
from studio.engine.merging.pieces import hand_pieces_on, tell_what_is_added
from studio.engine.merging.plan import (
    ADAPTER_CONFIG,
    ADAPTER_WEIGHTS,
    Shard,
    plan_of,
)
from studio.engine.merging.streaming import merge_shard, merged_bytes, write_index
from studio.engine.model_card import merged_card
from studio.engine.model_preparation import prepared_folder
from studio.engine.session import Count, Session
from studio.engine.staging import (
    Unfinished,
    need_space,
    resumable_folder,
)
from studio.engine.starting.trained_on import TrainedOn, trained_on
from studio.engine.tokenizer_loading import load_tokenizer
from studio.protocol.export_events import Merged
from studio.storage.artefacts import Origin, write_origin
from studio.storage.data_digest import sha256_of
from studio.storage.models import ModelPlace, is_model_folder
from studio.storage.run_directory import RunDirectory

# Tokenizer, configuration and card.
REST_BYTES = 32 << 20
_GENERATION = "generation_config.json"


@dataclass(frozen=True, slots=True)
class Merging:
    """What is to be merged, and into what.

    Attributes:
        run: Holds the adapter.
        base: The folder of its base model, ready to be read.
        target: The folder to make.
        dtype: Of the written weights: bf16, fp16 or fp32.
        as_trained: Into what the base was in training, 4 bits unpacked, instead of
            into its own weights.
    """

    run: RunDirectory
    base: Path
    target: Path
    dtype: str
    as_trained: bool = False


@dataclass(frozen=True, slots=True)
class MergeOrder:
    """What is asked for.

    Attributes:
        target: The folder to make.
        dtype: Of the written weights: bf16, fp16 or fp32.
        overwrite: A model that lies there makes room.
        as_trained: See `Merging`.
    """

    target: Path
    dtype: str = "bf16"
    overwrite: bool = False
    as_trained: bool = False


def merge(
    session: Session, run: RunDirectory, place: ModelPlace, order: MergeOrder
) -> None:
    """Merge a run's adapter and write the model, whole or not at all.

    Args:
        session: Where to report.
        run: Holds the adapter.
        place: Its base model.
        order: What is asked for.

    Raises:
        StudioError: No adapter, a target that is taken or is the base, no space, or a
            run that can't be merged as it was trained.
    """
    refuse_whole(run)
    target, dtype = order.target, order.dtype
    check_target(target, overwrite=order.overwrite)
    with session.lifeline.open():
        folder = prepared_folder(session, place)
        merging = Merging(run, folder, target, dtype, order.as_trained)
        merge_into(session, merging, lambda _: target)
    written = sum(file.stat().st_size for file in target.iterdir())
    session.say(Merged(path=str(target), dtype=dtype, size_bytes=written))


def merge_into(
    session: Session, merging: Merging, judge: Callable[[Path], Path]
) -> None:
    """Merge, and have the result judged before it gets its name.

    Args:
        session: Where to report.
        merging: What is merged; its target makes room.
        judge: Is handed the folder of the whole model, may add to it, and says by
            which path it is to be found.

    Raises:
        StudioError: No adapter, a target that is the base, or no space.
    """
    run, folder, target = merging.run, merging.base, merging.target
    _spare_base(target, folder)
    refuse_without_adapter(run.adapter_path)
    base = trained_on(folder, run.read_recipe(), as_held=merging.as_trained)
    session.enter(Phase.MERGING)
    held = base.bits.layers if base.bits and base.holds_all else ()
    shards = plan_of(folder, run.adapter_path, held)
    making = _fingerprint(shards, run.adapter_path, merging.dtype, base.in_words)
    with resumable_folder(target, making) as unfinished:
        dtype = DTYPES[merging.dtype]
        parts = AdapterParts(run.adapter_path, base.bits)
        _stream(session, shards, parts, unfinished, dtype)
        del parts  # it holds the adapter's file open
        _write_configuration(base, unfinished.path, dtype)
        _complete(merging, unfinished.path)
        unfinished.target = judge(unfinished.path)


def bytes_to_write(merging: Merging) -> int:
    """What a merged model takes on the disk.

    Raises:
        StudioError: A file can't be read, or holds weights in a form that can't be
            merged into.
    """
    shards = plan_of(merging.base, merging.run.adapter_path)
    return merged_bytes(shards, DTYPES[merging.dtype]) + REST_BYTES


def _stream(
    session: Session,
    shards: Sequence[Shard],
    parts: AdapterParts,
    unfinished: Unfinished,
    dtype: torch.dtype,
) -> None:
    left = [shard for shard in shards if not unfinished.has(shard.path.name)]
    size = merged_bytes(left, dtype)
    need_space(unfinished.path.parent, size + REST_BYTES, "The merged model")
    read = sum(piece.place.size_bytes for shard in left for piece in shard.pieces)
    count = Count(session, "Merging the weights", read / MIB, "MiB")
    for shard in left:
        target = unfinished.path / shard.path.name
        target.unlink(missing_ok=True)  # begun by a process that was killed
        merge_shard(shard, parts, target, dtype, count)
        unfinished.keep(target.name)
    write_index(shards, unfinished.path, dtype)


def _fingerprint(shards: Sequence[Shard], adapter: Path, dtype: str, base: str) -> str:
    """All that decides what a merged model's files hold."""
    told = [dtype, torch.__version__, peft.__version__]
    told += [base] if base else []
    told += [sha256_of(adapter / name) for name in (ADAPTER_WEIGHTS, ADAPTER_CONFIG)]
    for shard in shards:
        status = shard.path.stat()
        told.append(f"{shard.path.name} {status.st_size} {status.st_mtime_ns}")
    return "\n".join(told)


def _complete(merging: Merging, draft: Path) -> None:
    run, base, dtype = merging.run, merging.base, merging.dtype
    adapter = run.adapter_path
    tokenizer = load_tokenizer(adapter)
    tokenizer.save_pretrained(draft)
    hand_pieces_on(base, draft)
    tell_what_is_added(tokenizer, draft)
    card = merged_card(card_of(adapter), dtype, as_trained=merging.as_trained)
    write_card(draft, card)
    digest = sha256_of(adapter / ADAPTER_WEIGHTS)
    origin = Origin(run.name, dtype, digest, as_trained=merging.as_trained)
    write_origin(draft, origin)


def _write_configuration(base: TrainedOn, draft: Path, dtype: torch.dtype) -> None:
    config, folder = base.config, base.folder
    config.dtype = str(dtype).removeprefix("torch.")
    config.save_pretrained(draft)
    if (folder / _GENERATION).is_file():
        generation = GenerationConfig.from_pretrained(folder, local_files_only=True)
    else:
        generation = GenerationConfig.from_model_config(config)
    generation.save_pretrained(draft)


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


def _taken(target: Path, more: str, fix: str) -> StudioError:
    what = f"This place is taken already {more}".strip() + "."
    return refusal("merge.target-exists", what, fix=fix, where=str(target))
