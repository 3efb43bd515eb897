"""Which voices a run has: all that lies in its folder and can answer."""

from collections.abc import Iterator

from studio.domain.chatting import EXAMPLES, Voice, VoiceKind
from studio.domain.recipe import Recipe
from studio.storage.checkpoint_folders import all_of
from studio.storage.models import is_model_folder
from studio.storage.run_directory import RunDirectory


def voices_of(run: RunDirectory, recipe: Recipe) -> tuple[Voice, ...]:
    """The voices of a run, the base first and the latest checkpoint last.

    Args:
        run: Finished or not.
        recipe: Of the run.
    """
    return tuple(_voices(run, recipe))


def _voices(run: RunDirectory, recipe: Recipe) -> Iterator[Voice]:
    yield Voice(VoiceKind.BASE)
    if recipe.data.path:
        yield Voice(VoiceKind.FEW_SHOT, EXAMPLES)
    if (run.adapter_path / "adapter_model.safetensors").is_file():
        yield Voice(VoiceKind.ADAPTER)
    if is_model_folder(run.model_path):
        yield Voice(VoiceKind.MODEL)
    if is_model_folder(run.merged_path):
        yield Voice(VoiceKind.MERGED)
    for step, _ in all_of(run.checkpoints_path):
        if step:
            yield Voice(VoiceKind.CHECKPOINT, step)
