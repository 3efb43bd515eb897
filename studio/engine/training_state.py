"""What a run needs besides its recipe to go on as if it had never stopped.

The trainer of transformers resumes by itself, but keeps its state in pickles, silently
goes on without what is missing, and knows no order of rows that was drawn from the
global random numbers. So it asks here: `Resumable` answers its questions from
`state_tree`'s files, and `StateKeeper` remembers from which random numbers the pass
under way drew its order.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback
from transformers.trainer_callback import TrainerControl, TrainerState
from transformers.training_args import TrainingArguments
from trl.trainer.sft_trainer import SFTTrainer

from studio.domain.waypoints import passing
from studio.engine.adaptive_rank.allocation import RankAllocator
from studio.engine.adaptive_rank.orthogonality import add_gradient
from studio.engine.chance import Chance, put_chance, take_chance
from studio.engine.failures import broken_down
from studio.engine.lora_plus import quicken
from studio.engine.state_tree import dtypes_in, read_branch, read_tree, write_tree
from studio.storage import checkpoint_folders
from studio.storage.checkpoint_folders import Position

State = dict[str, Any]

# As transformers looks for it.
_TRAINER = "trainer_state.json"
_STATE = "training_state"
# Whose number formats a manifest tells.
_TOLD = ("weights", "optimizer", "ranks")


class Resumable:
    """Goes before a trainer of transformers in the order of its bases.

    Attributes:
        state_read: What is still to be put back of the checkpoint that it goes on
            from; nothing of it is held once the first step begins.
        plus_ratio: The rate at which adapters' B matrices learn, over the others'.
        allocator: Spreads the adapter's rank over its layers; None where each layer
            keeps the rank that it begins with.
    """

    model: Any
    optimizer: Any
    lr_scheduler: Any
    accelerator: Any
    state: TrainerState
    train: Any
    remove_callback: Any
    state_read: State | None = None
    plus_ratio: float = 1.0
    allocator: RankAllocator | None = None

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:  # noqa: ANN401 - as in the superclass
        """The trainer's own, with B matrices at their rate, and told of its steps."""
        is_new = self.optimizer is None
        optimizer: torch.optim.Optimizer = super().create_optimizer(model)  # type: ignore[misc]  # of the trainer that follows in the order
        if is_new and self.plus_ratio != 1:
            quicken(optimizer, self.model if model is None else model, self.plus_ratio)
        if is_new and self.allocator is not None:
            optimizer.register_step_post_hook(self._allocate)
        return optimizer

    def _allocate(self, optimizer: Any, *_: object) -> None:  # noqa: ANN401 - torch's own signature
        """Called behind each step that the optimizer was asked for.

        A gradient scaler doesn't ask for one whose gradient isn't finite, but leaves
        it to fused optimizers to do nothing, and tells them so.
        """
        broken = getattr(optimizer, "found_inf", None)
        if self.allocator is not None and not (broken is not None and bool(broken)):
            self.allocator.after_step(self.state.global_step + 1)

    def _clip_grad_norm(self, model: Any) -> Any:  # noqa: ANN401 - as in the superclass
        """Called once a step; gradients are still scaled, where a scaler does that."""
        passing("step.gradients", self.state.global_step + 1, self)
        if self.allocator is not None:
            scaler = getattr(self.accelerator, "scaler", None)
            add_gradient(self.allocator.layers, scaler.get_scale() if scaler else 1.0)
        return super()._clip_grad_norm(model)  # type: ignore[misc]  # of the trainer that follows in the order

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:  # noqa: ANN401 - as in the superclass
        """Called once a step, before the optimizer uses the gradient."""
        norm = super()._get_grad_norm(model, grad_norm=grad_norm)  # type: ignore[misc]  # as above
        scaler = getattr(self.accelerator, "scaler", None)
        step = self.state.global_step + 1
        refuse_broken(step, vars(self)["_tr_loss"], None if scaler else norm)
        return norm

    def _load_from_checkpoint(self, folder: str, model: object = None) -> None:
        del folder, model
        put_weights(self.model, self._taken("weights"))
        passing("resume.weights")

    def _load_optimizer_and_scheduler(self, folder: str | None) -> None:
        if folder is not None:
            put_states(self.optimizer, self._taken("optimizer"))
            self.lr_scheduler.load_state_dict(self._taken("schedule"))
            if self.allocator is not None:
                self.allocator.put(self._taken("ranks"))
            passing("resume.optimizer")

    def _load_scaler(self, folder: str | None) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if folder is not None and scaler is not None:
            scaler.load_state_dict(self._taken("scaler"))

    def _load_rng_state(self, folder: str | None) -> None:
        if folder is not None:
            put_chance(self._taken("chance"))
            self.state_read = None
            passing("resume.chance")

    def _taken(self, part: str) -> Any:  # noqa: ANN401 - each part is of another kind
        assert self.state_read is not None
        return self.state_read.pop(part)


def refuse_broken(step: int, loss: torch.Tensor, norm: Any) -> None:  # noqa: ANN401 - a tensor or a number, as the trainer has it
    """Refuse a step whose numbers are none, before weights follow from it.

    Asked of the device once for both. A gradient scaler finds by itself gradients that
    are none, skips such a step and scales lower, which is how it works.

    Args:
        step: From 1.
        loss: Of the step.
        norm: Of its gradient; None where a scaler looks after it.

    Raises:
        StudioError: One is no number.
    """
    seen = loss if norm is None else torch.stack([loss, torch.as_tensor(norm).to(loss)])
    if bool(torch.isfinite(seen).all()):
        return
    raise broken_down(step, loss.item(), None if norm is None else float(norm))


class ResumableTrainer(Resumable, SFTTrainer):
    """trl's trainer, able to go on exactly."""


class StateKeeper(TrainerCallback):
    """Knows the state of a run at its last whole step, and writes it."""

    def __init__(self, losses: dict[int, float]) -> None:
        """Know nothing yet.

        Args:
            losses: Held-out losses by step; grows while the run goes on.
        """
        self._losses = losses
        self._trainer: Any = None
        self._order: Chance = {}
        self._now: Chance = {}
        self._is_whole = False

    @property
    def whole_step(self) -> int | None:
        """The step whose state `write` would write; None while there is none.

        There is none before the first step of this process, and while the optimizer
        changes weights.
        """
        return int(self._trainer.state.global_step) if self._is_whole else None

    def disown(self) -> None:
        """Don't keep the state at hand: it measures as nothing."""
        self._is_whole = False

    def watch(self, trainer: Any) -> None:  # noqa: ANN401 - of any method
        """Take part in a trainer's run from now on."""
        self._trainer = trainer
        trainer.add_callback(self)

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, *_: object, **__: object
    ) -> None:
        """Remember what the order of this pass is drawn from, or draw it again."""
        del args
        read = self._trainer.state_read
        if read is not None:
            within = not math.isclose((state.epoch or 0.0) % 1.0, 0.0, abs_tol=1e-12)
            put_chance(read["order"] if within else read["chance"])
        self._order = take_chance()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, *_: object, **__: object
    ) -> None:
        """Tell that a step begins."""
        del args
        passing("step.begun", state.global_step + 1, self._trainer)

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, *_: object, **__: object
    ) -> None:
        """From here on weights belong to no step."""
        del args
        self._is_whole = False
        passing("step.optimizer", state.global_step + 1, self._trainer)

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> None:
        """Remember the random numbers behind a step."""
        del args, control
        self._now = take_chance()
        self._is_whole = True
        passing("step.done", state.global_step, self._trainer)

    def size_bytes(self) -> int:
        """What `write` takes at most: the weights and two states of each in FP32.

        Where a rank is spread, two means of each as well.
        """
        weights = trained_weights(self._trainer.model).values()
        allocator: RankAllocator | None = self._trainer.allocator
        means = 0 if allocator is None else allocator.size_bytes()
        return means + sum(each.nbytes + 8 * each.numel() for each in weights)

    def write(self, folder: Path) -> checkpoint_folders.State:
        """Write the state of the last whole step into a folder.

        Returns:
            What its manifest tells of it.

        Raises:
            OSError, SafetensorError: The disk refuses.
        """
        trainer = self._trainer
        scaler = getattr(trainer.accelerator, "scaler", None)
        allocator: RankAllocator | None = trainer.allocator
        tree = {
            "weights": trained_weights(trainer.model),
            "optimizer": trainer.optimizer.state_dict(),
            "schedule": trainer.lr_scheduler.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
            "ranks": allocator.state() if allocator is not None else {},
            "order": self._order,
            "chance": self._now,
            "losses": dict(self._losses),
        }
        write_tree(folder, _STATE, tree)
        trainer.state.save_to_json(str(folder / _TRAINER))
        dtypes = {kind: dtypes_in(tree[kind]) for kind in _TOLD}
        return checkpoint_folders.State(
            {kind: found for kind, found in dtypes.items() if found},
            position_of(trainer),
        )


def position_of(trainer: Any) -> Position:  # noqa: ANN401 - of any method
    """Where in its data a trainer stands behind its last whole step.

    transformers tells the pass under way as a part of its micro-batches, of which the
    last one may be smaller.
    """
    epoch = float(trainer.state.epoch or 0.0)
    rows, together = len(trainer.train_dataset), trainer.args.train_batch_size
    done = round(math.modf(epoch)[0] * math.ceil(rows / together))
    return Position(epoch, min(done * together, rows), rows)


def read_state(folder: Path) -> State:
    """What `StateKeeper.write` wrote.

    Raises:
        OSError, ValueError, SafetensorError: Something is missing or damaged.
    """
    state: State = read_tree(folder, _STATE)
    return state


def read_weights(folder: Path) -> dict[str, torch.Tensor]:
    """The trained weights alone of what `StateKeeper.write` wrote, by name.

    Raises:
        OSError, ValueError, SafetensorError: Something is missing or damaged.
    """
    weights: dict[str, torch.Tensor] = read_branch(folder, _STATE, "weights")
    return weights


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights that are trained, by name, in the format they are trained in."""
    return {
        name: weight
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


def refuse_broken_weights(model: torch.nn.Module, step: int) -> None:
    """Refuse to keep trained weights of which one is no number.

    Raises:
        StudioError: One is none.
    """
    weights = trained_weights(model).values()
    if not all(bool(torch.isfinite(each).all()) for each in weights):
        raise broken_down(step)


def put_states(optimizer: Any, given: Mapping[str, Any]) -> None:  # noqa: ANN401 - torch's, or accelerate's around it
    """Put an optimizer's states back, bit for bit.

    torch casts states to the format of their weight as it reads them, though an
    optimizer may keep them in a wider one.

    Args:
        optimizer: As it was made; it is changed.
        given: What its `state_dict` gave.
    """
    optimizer.load_state_dict(given)
    groups = optimizer.param_groups
    weights = (weight for group in groups for weight in group["params"])
    for place, weight in enumerate(weights):
        held = optimizer.state.get(weight, {})
        for name, value in given["state"].get(place, {}).items():
            if isinstance(value, torch.Tensor) and held[name].dtype != value.dtype:
                held[name] = value.to(weight.device)


def put_weights(model: torch.nn.Module, weights: Mapping[str, torch.Tensor]) -> None:
    """Put trained weights back, bit for bit.

    Raises:
        ValueError: They are of another adapter, or in another format.
    """
    own = trained_weights(model)
    if own.keys() != weights.keys():
        raise ValueError("the checkpoint holds other weights than are trained")
    with torch.no_grad():
        for name, weight in own.items():
            given = weights[name]
            if given.dtype != weight.dtype or given.shape != weight.shape:
                raise ValueError(f"{name} has another form in the checkpoint")
            weight.copy_(given)
