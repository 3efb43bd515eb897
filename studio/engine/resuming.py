"""Going on with a run: which checkpoint, and whether it is still the same run."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from studio.domain.errors import refusal
from studio.domain.finding import warning
from studio.domain.recipe import Recipe
from studio.engine.devices import choose_device
from studio.engine.model_preparation import prepared_folder
from studio.engine.session import Session
from studio.protocol.events import CheckpointSaved, RunPaused, RunResumed
from studio.storage.checkpoint_folders import Fingerprint, Found, newest_whole
from studio.storage.data_digest import sha256_of
from studio.storage.data_sets import digest_of_data
from studio.storage.disk import unreadable
from studio.storage.models import ModelPlace
from studio.storage.run_directory import RunDirectory
from studio.storage.tables.opening import missing
from studio.system.versions import version_of

# Options that decide when something is written or measured, or where something lies
# meanwhile, not what is learnt.
_WITHOUT_EFFECT = frozenset(
    {
        "data.prompts",
        "train.eval_steps",
        "train.keep_best",
        "train.keep_checkpoints",
        "train.offload",
        "train.patience",
        "train.save_minutes",
        "train.save_steps",
    }
)
# Not recorded in manifests that name no tokens.
_COMPUTING_LATER = frozenset({"datasets", "snugtune", "tokenizers"})
_COMPUTING = (
    "torch",
    "transformers",
    "peft",
    "trl",
    "bitsandbytes",
    "accelerate",
    *sorted(_COMPUTING_LATER),
)
# What transformers makes a tokenizer and its chat template of, as far as it is there.
_TOKEN_FILES = (
    "tokenizer*.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "chat_template.jinja",
    "additional_chat_templates/*.jinja",
    "vocab.json",
    "vocab.txt",
    "merges.txt",
    "*.model",
)


@dataclass(frozen=True, slots=True)
class Resuming:
    """That a run is gone on with.

    Attributes:
        accepts_changes: Also where something that it depends on has changed.
    """

    accepts_changes: bool = False


def fingerprint_of(
    recipe: Recipe, data_sha256: str, folder: Path, device: str
) -> Fingerprint:
    """What a run's weights depend on.

    Args:
        recipe: Of the run.
        data_sha256: Of its data.
        folder: Its base model, ready to be loaded.
        device: ``cpu`` or ``cuda``.

    Raises:
        OSError: The model can't be read.
    """
    deciding = {
        key: value
        for key, value in recipe.to_values().items()
        if key not in _WITHOUT_EFFECT
    }
    known = {name: version_of(name) for name in _COMPUTING}
    return Fingerprint(
        recipe=_digest(json.dumps(deciding, sort_keys=True)),
        data=data_sha256,
        model=_model_digest(folder),
        device=device,
        versions={name: number for name, number in known.items() if number},
        tokens=_token_digests(folder),
    )


def take_up(
    session: Session, run: RunDirectory, place: ModelPlace, resuming: Resuming
) -> Found | None:
    """The checkpoint to go on from, if that is still the same run.

    Nothing is loaded for it.

    Returns:
        None for a run that was paused before a step was kept, which begins anew.

    Raises:
        StudioError: There is none, something that the run depends on has changed and
            that isn't accepted, or the data or the model can't be read.
    """
    if _was_paused_with_nothing(run):
        session.say(RunResumed(step=0))
        return None
    found = checkpoint_to_resume(session, run)
    recipe = run.read_recipe()
    try:
        data = digest_of_data(recipe.data)
    except FileNotFoundError as fault:
        raise missing(Path(fault.filename or recipe.data.path)) from fault
    except OSError as fault:
        raise unreadable(fault, Path(recipe.data.path)) from fault
    folder = prepared_folder(session, place)
    now = fingerprint_of(recipe, data, folder, choose_device().type)
    refuse_changes(session, found, now, accepts=resuming.accepts_changes)
    return found


def checkpoint_to_resume(session: Session, run: RunDirectory) -> Found:
    """The newest checkpoint that is whole; damaged newer ones are warned of.

    Raises:
        StudioError: There is none.
    """
    found, damaged = newest_whole(run.checkpoints_path)
    for name, fault in damaged:
        session.warn(
            warning(
                "checkpoint.damaged",
                f"The checkpoint {name} {fault}, so it isn't used.",
                why="The machine may have gone down while its disk was writing.",
                where=str(run.checkpoints_path / name),
            )
        )
    if found is None:
        raise refusal(
            "run.no-checkpoint",
            "This run has no checkpoint to go on from.",
            fix="Start a new run with its recipe; train.save_steps or "
            "train.save_minutes write checkpoints.",
            where=str(run.checkpoints_path),
        )
    return found


def refuse_changes(
    session: Session, found: Found, now: Fingerprint, *, accepts: bool
) -> None:
    """Refuse to go on where that would be another run, or warn if it is accepted.

    Raises:
        StudioError: Something has changed since the checkpoint, and that isn't
            accepted.
    """
    changed = changes(found.manifest.fingerprint, now)
    if not changed:
        return
    what = f"Since step {found.manifest.step:,} {', '.join(changed)} changed."
    why = "Going on gives other weights than a run that was never interrupted."
    if not accepts:
        raise refusal(
            "run.changed",
            what,
            why=why,
            fix="Put back what changed, or go on all the same.",
            where=str(found.path),
        )
    session.warn(warning("run.changed", what, why=why, where=str(found.path)))


def changes(then: Fingerprint, now: Fingerprint) -> list[str]:
    """What differs, in words; what an older manifest doesn't tell is left out."""
    found = [
        words
        for words, differs in (
            ("the recipe", then.recipe != now.recipe),
            ("the data", then.data != now.data),
            ("the base model", then.model != now.model),
            (
                f"the device ({then.device}, now {now.device})",
                then.device != now.device,
            ),
        )
        if differs
    ]
    found += [
        f"the base model's {name}" for name in _differing(then.tokens, now.tokens)
    ]
    untold = _COMPUTING_LATER if then.tokens is None else frozenset()
    for name in sorted({*then.versions, *now.versions} - untold):
        before, after = then.versions.get(name, "none"), now.versions.get(name, "none")
        if before != after:
            found.append(f"{name} ({before}, now {after})")
    return found


def _differing(
    then: Mapping[str, str] | None, now: Mapping[str, str] | None
) -> list[str]:
    """Names of files that were edited, that are new, or that are gone."""
    if then is None or now is None:
        return []
    return sorted({name for name, _ in then.items() ^ now.items()})


def _was_paused_with_nothing(run: RunDirectory) -> bool:
    """Whether the run's last word but for attempts is a pause that kept no step."""
    told = [e for e in run.events() if isinstance(e, RunPaused | CheckpointSaved)]
    return bool(told) and isinstance(told[-1], RunPaused) and not told[-1].step


def _model_digest(folder: Path) -> str:
    """Of the configuration, and of the weight files' names and sizes.

    Reading all weights would take minutes for a large model.
    """
    weights = sorted(folder.glob("*.safetensors"))
    named = "".join(f"{file.name}\0{file.stat().st_size}\n" for file in weights)
    return _digest((folder / "config.json").read_text(encoding="utf-8") + named)


def _token_digests(folder: Path) -> dict[str, str]:
    files = {file for form in _TOKEN_FILES for file in folder.glob(form)}
    return {
        file.relative_to(folder).as_posix(): sha256_of(file) for file in sorted(files)
    }


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
