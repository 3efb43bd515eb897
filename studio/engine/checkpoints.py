"""Checkpoints: whole folders in RUN/checkpoints, named for their step.

A checkpoint holds the adapter as it was at that step, in the same form as the final
one, so that it can be merged or asked. It can't be continued from: optimizer, schedule
and random states are not in it. Only this module knows what a checkpoint consists of.
"""

from peft import PeftModelForCausalLM

from studio.engine.adapter_files import save_adapter
from studio.engine.model_card import Facts
from studio.engine.session import Session
from studio.engine.tokenizer_loading import Tokenizer
from studio.protocol.events import CheckpointSaved
from studio.storage.run_directory import RunDirectory


def save_checkpoint(
    session: Session,
    run: RunDirectory,
    model: PeftModelForCausalLM,
    tokenizer: Tokenizer,
    facts: Facts,
) -> None:
    """Write the checkpoint of `facts.steps`, unless it exists, and report it.

    Raises:
        StudioError: The disk is full or may not be written; earlier ones stay.
    """
    target = run.checkpoints_path / f"step-{facts.steps}"
    if target.exists():
        return
    save_adapter(model, tokenizer, facts, target)
    path = target.relative_to(run.path).as_posix()
    session.say(CheckpointSaved(step=facts.steps, path=path))
