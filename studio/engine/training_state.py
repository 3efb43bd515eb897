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

from studio.engine.chance import Chance, put_chance, take_chance
from studio.engine.state_tree import read_tree, write_tree

State = dict[str, Any]

# As transformers looks for it.
_TRAINER = "trainer_state.json"
_STATE = "training_state"


class Resumable:
    """Goes before a trainer of transformers in the order of its bases.

    Attributes:
        state_read: What is still to be put back of the checkpoint that it goes on
            from; nothing of it is held once the first step begins.
    """

    model: Any
    optimizer: Any
    lr_scheduler: Any
    accelerator: Any
    state: TrainerState
    train: Any
    state_read: State | None = None

    def _load_from_checkpoint(self, folder: str, model: object = None) -> None:
        del folder, model
        put_weights(self.model, self._taken("weights"))

    def _load_optimizer_and_scheduler(self, folder: str | None) -> None:
        if folder is not None:
            self.optimizer.load_state_dict(self._taken("optimizer"))
            self.lr_scheduler.load_state_dict(self._taken("schedule"))

    def _load_scaler(self, folder: str | None) -> None:
        scaler = getattr(self.accelerator, "scaler", None)
        if folder is not None and scaler is not None:
            scaler.load_state_dict(self._taken("scaler"))

    def _load_rng_state(self, folder: str | None) -> None:
        if folder is not None:
            put_chance(self._taken("chance"))
            self.state_read = None

    def _taken(self, part: str) -> Any:  # noqa: ANN401 - each part is of another kind
        assert self.state_read is not None
        return self.state_read.pop(part)


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

    def watch(self, trainer: SFTTrainer) -> None:
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

    def on_step_end(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        **_: object,
    ) -> None:
        """Remember the random numbers behind a step."""
        del args, state, control
        self._now = take_chance()

    def size_bytes(self) -> int:
        """What `write` takes at most: the weights and two states of each in FP32."""
        weights = trained_weights(self._trainer.model).values()
        return sum(each.nbytes + 8 * each.numel() for each in weights)

    def write(self, folder: Path) -> None:
        """Write the state of the last whole step into a folder.

        Raises:
            OSError, SafetensorError: The disk refuses.
        """
        trainer = self._trainer
        scaler = getattr(trainer.accelerator, "scaler", None)
        tree = {
            "weights": trained_weights(trainer.model),
            "optimizer": trainer.optimizer.state_dict(),
            "schedule": trainer.lr_scheduler.state_dict(),
            "scaler": scaler.state_dict() if scaler is not None else {},
            "order": self._order,
            "chance": self._now,
            "losses": dict(self._losses),
        }
        write_tree(folder, _STATE, tree)
        trainer.state.save_to_json(str(folder / _TRAINER))


def read_state(folder: Path) -> State:
    """What `StateKeeper.write` wrote.

    Raises:
        OSError, ValueError, SafetensorError: Something is missing or damaged.
    """
    state: State = read_tree(folder, _STATE)
    return state


def trained_weights(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The weights that are trained, by name, in the format they are trained in."""
    return {
        name: weight
        for name, weight in model.named_parameters()
        if weight.requires_grad
    }


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
