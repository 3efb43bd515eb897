"""What is talked to: a run with its base, or a model alone."""

from dataclasses import dataclass
from pathlib import Path

from studio.domain.chatting import Voice, VoiceKind
from studio.domain.recipe import Recipe
from studio.domain.recipe_options import LoraVariant
from studio.engine.answering import plainly
from studio.engine.model_preparation import prepared_folder
from studio.engine.session import Session
from studio.storage.checkpoint_folders import checkpoint_name
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory
from studio.storage.run_voices import voices_of


@dataclass(frozen=True, slots=True)
class Source:
    """A run, or a model folder.

    Attributes:
        run: None of a model alone.
        recipe: Of the run; of a model, how it is held.
        folder: Of the base, or of the model.
        voices: That there are.
    """

    run: RunDirectory | None
    recipe: Recipe
    folder: Path
    voices: tuple[Voice, ...]

    def path_of(self, voice: Voice) -> Path:
        """The folder that a voice's weights lie in."""
        if self.run is None:
            return self.folder
        match voice.kind:
            case VoiceKind.ADAPTER:
                return self.run.adapter_path
            case VoiceKind.MODEL:
                return self.run.model_path
            case VoiceKind.MERGED:
                return self.run.merged_path
            case VoiceKind.CHECKPOINT:
                return self.run.checkpoints_path / checkpoint_name(voice.number)
            case _:
                return self.folder

    def wears_adapter(self, voice: Voice) -> bool:
        """Whether a voice is the base with an adapter on it."""
        worn = {VoiceKind.ADAPTER, VoiceKind.CHECKPOINT}
        return voice.kind in worn and not self.recipe.trains_all

    @property
    def changes_base(self) -> bool:
        """Whether its adapters were trained on a base that isn't held as it is.

        See `studio.engine.starting.pissa`.
        """
        is_pissa = self.recipe.lora.variant is LoraVariant.PISSA
        return is_pissa and self.recipe.model.precision.is_quantized


def source_of_run(session: Session, run: RunDirectory, place: ModelPlace) -> Source:
    """A run as a source.

    Args:
        session: Told of a base's conversion.
        run: Finished or not.
        place: Its base.

    Raises:
        StudioError: The recipe can't be read, or the disk refuses the conversion.
    """
    recipe = run.read_recipe()
    folder = prepared_folder(session, place)
    return Source(run, recipe, folder, voices_of(run, recipe))


def source_of_model(session: Session, place: ModelPlace) -> Source:
    """A model alone as a source.

    Args:
        session: Told of its conversion.
        place: The model.

    Raises:
        StudioError: The disk refuses the conversion.
    """
    folder = prepared_folder(session, place)
    return Source(None, plainly(), folder, (Voice(VoiceKind.MODEL),))
