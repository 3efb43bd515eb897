"""Shifted sparse attention: rows are trained in groups, heads see past their edges.

After section 3.2 of LongLoRA (Chen et al., ICLR 2024): a row is cut into groups of a
quarter of its length, and a token sees the earlier ones of its group alone. Half of the
heads have their groups shifted by half a group, so that what is learnt passes from
group to group. Nothing of it is needed once the model is trained: outside of training
every token sees all earlier ones.

The paper rolls the shifted heads' tokens, by which the first half group shares a group
with the last one; here that half group stands alone at the front, so no token sees a
later one and no mask is needed.
"""

from typing import Any

import torch
from torch.nn import functional

GROUPS = 4


def group_of(length: int) -> int:
    """Tokens of a group: a quarter of the row, rounded up to an even number."""
    return max(2, -(-length // (2 * GROUPS)) * 2)


def attend(  # noqa: PLR0913 - as transformers calls an attention function
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    **more: Any,  # noqa: ANN401 - whatever else a model passes
) -> tuple[torch.Tensor, None]:
    """Attention over (batch, heads, tokens, width), in groups while training.

    Args:
        module: Whose attention it is; its ``training`` decides.
        query: Of every head.
        key: Of every key head; query heads share them in order.
        value: As the keys.
        attention_mask: (batch, tokens), False for padding; None without any. Padding
            stands behind a row while training, where no token sees it.
        scaling: Of the scores; None for the usual one.
        dropout: Share of the scores that are dropped.
        **more: Told by some models; a sliding window is refused.

    Returns:
        (batch, tokens, heads, width), and no scores.

    Raises:
        ValueError: The layer attends by a window of its own or caps its scores.
    """
    if more.get("sliding_window") or more.get("softcap"):
        message = "shifted attention has no window of its own and caps no scores"
        raise ValueError(message)
    shares = query.shape[1] // key.shape[1]
    if module.training:
        result = _in_groups(query, key, value, scaling, dropout)
    else:
        mask = _full_mask(query, key, attention_mask)
        key, value = (each.repeat_interleave(shares, dim=1) for each in (key, value))
        result = functional.scaled_dot_product_attention(
            query, key, value, mask, scale=scaling, is_causal=mask is None
        )
    return result.transpose(1, 2).contiguous(), None


def _in_groups(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    scaling: float | None,
    dropout: float,
) -> torch.Tensor:
    """The first half of the heads in plain groups, the second in shifted ones."""
    length, shares = query.shape[2], query.shape[1] // key.shape[1]
    group = group_of(length)
    if key.shape[1] % 2:
        # A key head would be in both halves.
        key, value = (each.repeat_interleave(shares, dim=1) for each in (key, value))
    halves = zip(*(each.chunk(2, dim=1) for each in (query, key, value)), strict=True)
    results: list[torch.Tensor] = []
    for half, shift in zip(halves, (0, group // 2), strict=True):
        windows = [
            _windows([each[:, :, begin:end] for each in half], size, scaling, dropout)
            for begin, end, size in _parts(length, group, shift)
        ]
        results.append(torch.cat(windows, dim=2))
    return torch.cat(results, dim=1)


def _parts(length: int, group: int, shift: int) -> list[tuple[int, int, int]]:
    """Where windows of one size lie: (begin, end, size), covering the row in order."""
    first = min(shift, length)
    whole = (length - first) // group * group
    edges = [(0, first, first), (first, first + whole, group)]
    edges.append((first + whole, length, length - first - whole))
    return [edge for edge in edges if edge[1] > edge[0]]


def _windows(
    parts: list[torch.Tensor], size: int, scaling: float | None, dropout: float
) -> torch.Tensor:
    """Attention within each window of `size` tokens, all windows at once.

    Args:
        parts: Query, key and value of these windows.
        size: Tokens of a window.
        scaling: Of the scores.
        dropout: Share of them that is dropped.
    """
    query, key, value = parts
    batch, heads, length, _ = query.shape
    count = length // size

    def split(tensor: torch.Tensor) -> torch.Tensor:
        shape = batch, tensor.shape[1], count, size, tensor.shape[-1]
        return tensor.reshape(shape).transpose(1, 2).flatten(0, 1)

    inside = functional.scaled_dot_product_attention(
        split(query),
        split(key),
        split(value),
        dropout_p=dropout,
        is_causal=True,
        scale=scaling,
        enable_gqa=query.shape[1] != key.shape[1],
    )
    back = inside.reshape(batch, count, heads, size, value.shape[-1]).transpose(1, 2)
    return back.reshape(batch, heads, length, value.shape[-1])


def _full_mask(
    query: torch.Tensor, key: torch.Tensor, padding: torch.Tensor | None
) -> torch.Tensor | None:
    """What each token may see, (batch, 1, queries, keys); None for all earlier ones."""
    asked, seen = query.shape[2], key.shape[2]
    if padding is None and asked == seen:
        return None
    earlier = torch.ones(asked, seen, dtype=torch.bool, device=query.device)
    earlier = earlier.tril(seen - asked)[None, None]
    if padding is None:
        return earlier
    mask = earlier & padding[:, None, None, :seen].bool()
    # A row of padding would see nothing, which is no number.
    return mask | ~mask.any(dim=-1, keepdim=True)
