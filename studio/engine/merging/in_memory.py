"""Merges a model as a whole in memory, in fp32: for what no plan can say.

Such are the experts of a mixture, which lie one by one in the files and stacked in the
model.
"""

from pathlib import Path

import torch

from studio.domain.errors import refusal
from studio.domain.run import Phase
from studio.engine.devices import DTYPES
from studio.engine.model_loading import Model, load_weights
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.staging import need_space
from studio.engine.starting.trained_on import TrainedOn, with_adapter

# Tokenizer, configuration and card.
_REST_BYTES = 32 << 20


def merge_whole(
    session: Session,
    base: TrainedOn,
    adapter: Path,
    draft: Path,
    dtype: str,
) -> None:
    """Put a model together and write its weights and configuration.

    Args:
        session: Where to report.
        base: What the adapter was trained on.
        adapter: The adapter's folder.
        draft: The folder to write to.
        dtype: Of the written weights: bf16, fp16 or fp32.

    Raises:
        StudioError: Weights can't be read, don't fit the format, or have no room.
    """
    session.enter(Phase.LOADING_MODEL)
    with reported(session, "Loading the weights"):
        model = load_weights(
            base.folder,
            dtype=torch.float32,
            device_map={"": "cpu"},
            config=base.config,
        )
        adapted = with_adapter(model, adapter, base)
    session.enter(Phase.MERGING)
    merged: Model = adapted.merge_and_unload(progressbar=False, safe_merge=True)
    session.enter(Phase.SAVING)
    rounded = _rounded(merged, DTYPES[dtype])
    size = sum(tensor.nbytes for tensor in rounded.parameters())
    need_space(draft.parent, size + _REST_BYTES, "The merged model")
    with reported(session, "Writing the weights", "files"):
        rounded.save_pretrained(draft)


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
