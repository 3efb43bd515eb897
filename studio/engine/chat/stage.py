"""Holds the one model that the voice needs which speaks, and lets go of the others.

Base, few-shot base, adapter and checkpoints share one base in memory: the adapter is
switched off for the base, and a checkpoint's weights take the adapter's place. A voice
that is another model altogether (merged, or of all weights) takes the place of what was
loaded before. So does the base of a quantised PiSSA run, whose adapters were trained on
another base than the one that is talked to.
"""

import contextlib
import gc
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModelForCausalLM

from studio.domain.chatting import Voice, VoiceKind
from studio.domain.recipe import Recipe
from studio.domain.run import Phase
from studio.engine.adapter_files import put_adapter
from studio.engine.answering import plainly
from studio.engine.chat.source import Source
from studio.engine.chat.swapping import swap_adapter, swap_weights
from studio.engine.devices import Formats, choose_device, formats_of
from studio.engine.long_context import stretched
from studio.engine.model_config import read_config
from studio.engine.model_loading import Model, load_model
from studio.engine.progress_bars import reported
from studio.engine.session import Session
from studio.engine.starting.begin import be_as_trained
from studio.engine.starting.pissa import silence_start
from studio.engine.tokenizer_loading import Tokenizer, load_tokenizer


@dataclass(frozen=True, slots=True)
class Speaker:
    """What a voice answers with, while it does.

    Attributes:
        model: With its adapter on, off, or without one.
        tokenizer: With the chat template.
        formats: That it computes in.
    """

    model: Model
    tokenizer: Tokenizer
    formats: Formats


class Stage:
    """Where voices speak, one at a time.

    Attributes:
        source: Whose voices.
    """

    def __init__(self, session: Session, source: Source) -> None:
        """Hold nothing yet.

        Args:
            session: Told of what is loaded.
            source: Whose voices.
        """
        self.source = source
        self._session = session
        self._device = choose_device()
        self._held = ""
        self._model: Model | None = None
        self._adapted: PeftModelForCausalLM | None = None
        self._worn: Path | None = None
        self._formats = formats_of(source.recipe, self._device)
        self._tokenizers: dict[Path, Tokenizer] = {}

    @property
    def most_tokens(self) -> int | None:
        """That the source's model reads; None where it names no limit."""
        config = read_config(self.source.folder)
        return _limit(stretched(config, self.source.recipe.model.stretch))

    def model_of(self, voice: Voice) -> str:
        """Which model a voice needs; voices with the same one need no loading."""
        source = self.source
        if source.wears_adapter(voice):
            return "as trained" if source.changes_base else "base"
        if voice.kind in {VoiceKind.BASE, VoiceKind.FEW_SHOT}:
            return "base"
        return voice.word

    def in_good_order(self, voices: list[Voice]) -> list[Voice]:
        """Voices in an order that loads least: first who needs what is held."""
        firsts = [self._held, *(self.model_of(voice) for voice in voices)]
        return sorted(voices, key=lambda voice: firsts.index(self.model_of(voice)))

    @contextlib.contextmanager
    def speaker(self, voice: Voice) -> Iterator[Speaker]:
        """Let a voice speak inside.

        Raises:
            StudioError: What it needs can't be loaded.
        """
        wanted = self.model_of(voice)
        if wanted != self._held or self._model is None:
            self.clear()
            self._load(voice)
            self._held = wanted
        tokenizer = self._tokenizer_of(voice)
        model = self._model
        assert model is not None
        if self.source.wears_adapter(voice):
            self._wear(model, self.source.path_of(voice))
            off: contextlib.AbstractContextManager[None] = contextlib.nullcontext()
        else:
            adapted = self._adapted
            off = contextlib.nullcontext() if adapted is None else _off(adapted)
        with off:
            yield Speaker(model, tokenizer, self._formats)

    def clear(self) -> None:
        """Let go of what is held."""
        self._model = self._adapted = self._worn = None
        self._held = ""
        gc.collect()
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _load(self, voice: Voice) -> None:
        folder, recipe = self._wanted(voice)
        self._session.enter(Phase.LOADING_MODEL)
        self._formats = formats_of(recipe, self._device)
        with reported(self._session, "Loading the weights"):
            model = load_model(folder, recipe.model, self._formats, self._device)
        if voice.kind is VoiceKind.CHECKPOINT and recipe.trains_all:
            swap_weights(model, self.source.path_of(voice))
        self._model = model

    def _wanted(self, voice: Voice) -> tuple[Path, Recipe]:
        """The folder of a voice's model, and how that is held."""
        source = self.source
        path = source.path_of(voice)
        if voice.kind is VoiceKind.MERGED:
            return path, plainly()
        if voice.kind is VoiceKind.MODEL:
            # Its own configuration holds how its positions are stretched.
            return path, source.recipe.with_value("model.stretch", 1.0)
        return source.folder, source.recipe

    def _wear(self, model: Model, folder: Path) -> None:
        """Have the adapter on that lies in a folder; its layers are put into a base."""
        if folder == self._worn:
            return
        self._worn = None  # until all of it is on
        if self._adapted is None:
            self._put_on(model, folder)
        else:
            swap_adapter(self._adapted, folder)
            if self.source.changes_base:
                silence_start(self._adapted)
        self._worn = folder

    def _put_on(self, model: Model, folder: Path) -> None:
        try:
            adapted = put_adapter(model, folder)
            be_as_trained(adapted, self.source.folder, self.source.recipe)
        except BaseException:
            self.clear()  # half of an adapter may be on it
            raise
        self._adapted = adapted

    def _tokenizer_of(self, voice: Voice) -> Tokenizer:
        path = self.source.path_of(voice)
        if voice.kind is VoiceKind.CHECKPOINT and self.source.recipe.trains_all:
            path = self.source.folder
        if path not in self._tokenizers:
            self._tokenizers[path] = load_tokenizer(path)
        return self._tokenizers[path]


def limit_of(model: Model) -> int | None:
    """How many tokens a model reads; None where it names no limit."""
    return _limit(model.config)


def _limit(config: object) -> int | None:
    text = config.get_text_config(decoder=True)  # type: ignore[attr-defined]  # of transformers' configurations
    limit = getattr(text, "max_position_embeddings", None)
    return limit if isinstance(limit, int) and limit > 0 else None


@contextlib.contextmanager
def _off(adapted: PeftModelForCausalLM) -> Iterator[None]:
    with adapted.disable_adapter():
        yield
