"""From the last block to the loss and back: a tiled head, or all logits at once."""

from dataclasses import dataclass
from functools import partial

from studio.domain.architecture import ModelArchitecture
from studio.domain.memory.on_paper.linear import product
from studio.domain.memory.on_paper.operators import cast, scaled, tanh
from studio.domain.memory.on_paper.plan import Plan
from studio.domain.memory.on_paper.tape import FP32, Node, Tape
from studio.domain.memory.on_paper.tensors import Tensor
from studio.domain.memory.part_names import GRADIENTS, LOGITS

HEAD_TILE_COLUMNS = 32_768  # trl trainer/utils.py:1506
_TILE_ON_PROCESSOR = 2048
_TILES = 3  # how many equal tiles of the head are written down
# FP32 copies of a tile that stand at once: forward the logits, their distances from the
# highest and the exponentials; backward seven, and the capped ones' own.
_SCORED, _SCORED_BACK = 3, 7


@dataclass(frozen=True, slots=True, kw_only=True)
class _Loss:
    """The loss function's shape.

    Attributes:
        rows: Tokens that are scored.
        hidden: Width of each.
        tile: Bytes of the logits that are made at a time.
        width: Bytes of an entry of what is scored.
        by_operators: Whether torch's own score a tile, as on a processor, and not one
            kernel.
        entries: Of a tile.
        weights: Of the head's part that makes a tile, entries.
        caps: Whether logits are capped.
        compute: Bytes of an entry of what is multiplied.
        tokens: Entries of the batch.
        chunk: Bytes of rows in another format, if they are cast.
        narrowed: Bytes of the head's tiles in another format, if they are cast.
        head: Entries of the head, if it is trained.
        head_width: Bytes of each.
        tied: Whether the head is the embedding, too.
    """

    rows: int
    hidden: int
    tile: int
    width: int
    by_operators: bool
    entries: int
    weights: int
    caps: bool
    compute: int
    tokens: int
    chunk: int
    narrowed: tuple[int, ...]
    head: int
    head_width: int
    tied: bool


def tiled_loss(tape: Tape, plan: Plan, x: Tensor, model: ModelArchitecture) -> Tensor:
    """The `ChunkedLogProbFunction` of trl on all but each row's last token."""
    hidden, vocabulary = model.hidden, model.vocabulary
    rows, at_once = plan.extent.scored, plan.extent.chunk
    found = tape.new(rows * hidden, x.width)
    columns = HEAD_TILE_COLUMNS if plan.card else _TILE_ON_PROCESSOR
    width = plan.compute if plan.autocast else x.width
    cut = _cut(vocabulary, columns) if width != plan.outer else ()
    part = min(columns, vocabulary)
    loss = _Loss(
        rows=rows,
        hidden=hidden,
        tile=at_once * columns * width,
        width=x.width,
        by_operators=not plan.card,
        entries=at_once * part,
        weights=part * hidden,
        caps=model.decoder.head_steps > 1,
        compute=width,
        tokens=x.count,
        chunk=at_once * hidden * width if width != x.width else 0,
        narrowed=tuple(each * hidden * width for each in cut),
        head=vocabulary * hidden if plan.trains_base or plan.embeddings_beside else 0,
        head_width=plan.outer,
        tied=model.tied,
    )
    statistics = tape.storage(10 * 4 * rows, LOGITS)
    tile = tape.storage(loss.tile, LOGITS)
    chunk = tape.storage(loss.chunk, LOGITS) if loss.chunk else None
    for size in loss.narrowed:
        tape.storage(size, LOGITS)  # ends with its product
    if loss.by_operators:
        _scored(tape, loss, _SCORED)
    del chunk, tile, statistics
    made = tape.new(rows, 4, LOGITS)
    if x.node is not None:
        made.node = tape.node(partial(_tiled_back, loss), (x.node,), (found,))
    return made


def _scored(tape: Tape, loss: _Loss, copies: int) -> None:
    """What torch's own operators make of a tile, as it stands at the highest.

    FP32 copies, and a byte for each entry that says where the targets are
    (`_forward_tile` and `_backward_tile` of trl's kernels/chunked_logprob.py).
    """
    inside = [tape.new(loss.entries, FP32, LOGITS) for _ in range(copies)]
    inside.append(tape.new(loss.entries, 1, LOGITS))


def _cut(vocabulary: int, columns: int) -> list[int]:
    """Rows of the head's tiles; of many equal ones the first."""
    full, rest = divmod(vocabulary, columns)
    return [columns] * min(full, _TILES) + ([rest] if rest else [])


def _tiled_back(loss: _Loss, tape: Tape, node: Node) -> None:
    kept = node.taken()
    grad = node.received()
    of_hidden = tape.new(loss.rows * loss.hidden, 4, LOGITS)
    # Summed up in fp32, and cast where the weight is narrower.
    keeps = loss.head_width == FP32
    of_head = None
    if loss.head:
        of_head = tape.new(loss.head, FP32, GRADIENTS if keeps else LOGITS)
    tile = tape.storage(loss.tile, LOGITS)
    chunk = tape.storage(loss.chunk, LOGITS) if loss.chunk else None
    narrowed = None
    for size in loss.narrowed:  # the next one is made before its name is free
        narrowed = tape.storage(size, LOGITS)
        tape.multiplies()
    tape.multiplies()
    if loss.by_operators:
        _scored(tape, loss, _SCORED_BACK + loss.caps)
        if loss.compute != FP32:
            tape.storage(FP32 * (loss.entries + loss.weights), LOGITS)  # a product's
    half = of_hidden
    if loss.width != FP32:
        half = tape.new(loss.rows * loss.hidden, loss.width, LOGITS)
    if of_head is not None:
        made = tape.new(loss.head, loss.head_width, GRADIENTS) if not keeps else of_head
        _keep_gradient(tape, loss, made)
        del made
    del of_hidden, of_head, chunk, narrowed, tile, kept, grad
    placed = tape.new(loss.rows * loss.hidden, loss.width)
    del half
    whole = tape.new(loss.tokens, loss.width)
    del placed
    tape.give(node.inputs[0], whole)


def _keep_gradient(tape: Tape, loss: _Loss, made: Tensor) -> None:
    """A matrix that is shared waits for the embedding's part of its gradient."""
    if loss.tied:
        tape.waiting = made
    else:
        tape.gradients.append(made)


def full_loss(
    tape: Tape,
    plan: Plan,
    x: Tensor,
    model: ModelArchitecture,
    *,
    shifts: bool,
    upcasts: bool,
) -> tuple[Tensor, Tensor]:
    """`ForCausalLMLoss` of transformers on all logits at once.

    Returns:
        The loss, and the logits, which a loop may hold until it is done.
    """
    trains, width = plan.trains_base, plan.plain
    logits = product(
        tape, plan, x, model.hidden, model.vocabulary, width, trains=trains
    )
    tape.rename(logits, LOGITS)
    for step in range(model.decoder.head_steps):
        logits = tanh(tape, logits) if step == 1 else scaled(tape, logits)
        tape.rename(logits, LOGITS)
    if upcasts:
        logits = _wide(tape, logits)  # the 16-bit ones go
    whole = wide = _wide(tape, logits)
    if shifts:
        wide = _shifted(tape, plan, whole)
    shares = tape.new(wide.count, 4, LOGITS)
    loss = tape.new(1, 4)
    if wide.node is not None:
        loss.node = tape.node(partial(_loss_back, wide.count), (wide.node,), (shares,))
    del whole
    return loss, logits


def _wide(tape: Tape, logits: Tensor) -> Tensor:
    made = cast(tape, logits, 4)
    if made is not logits:
        tape.rename(made, LOGITS)
    return made


def _shifted(tape: Tape, plan: Plan, x: Tensor) -> Tensor:
    """All but each row's last token; of one row alone that is no copy."""
    count = x.count // plan.extent.tokens * plan.extent.scored
    made = Tensor(x.storage, count, x.width)
    if plan.extent.several:
        made = tape.new(count, x.width, LOGITS)
    made.node = tape.node(partial(_shifted_back, x.count), (x.node,))
    return made


def _shifted_back(whole: int, tape: Tape, node: Node) -> None:
    grad = node.received()
    made = tape.new(whole, grad.width, LOGITS)
    del grad
    tape.give(node.inputs[0], made)


def _loss_back(count: int, tape: Tape, node: Node) -> None:
    kept = node.taken()
    node.received()
    chosen = tape.new(count, 4, LOGITS)
    made = tape.new(count, 4, LOGITS)
    del chosen, kept
    tape.give(node.inputs[0], made)
