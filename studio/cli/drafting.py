"""`snugtune data make`: drafts from documents, by a local model or an address."""

from dataclasses import dataclass
from pathlib import Path

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.errors import ExitCode, StudioError, refusal
from studio.domain.run import Phase
from studio.protocol.codec import heard
from studio.protocol.data_events import DraftsMade
from studio.protocol.events import EngineEvent, PhaseChanged, Progress, Warned
from studio.services.drafting import result_words, usual_model, warning_about
from studio.storage.document_readers.registry import suffixes
from studio.storage.draft_making import DraftCount, DraftMaking, DraftOrder
from studio.system.chat_address import address_of

JSON_HELP = f"""DOC is a file that ends in {", ".join(suffixes())}, or a folder of such files. Each passage is read once: a run that was ended goes on where it was, and a passage that has drafts in the file is passed over.

A draft is rejected by itself when its question or its answer is empty or repeats what the model was told, and when fewer than 60 % of the answer's words of four letters or more, or not all of its numbers, stand in the passage. It stays in the file, and training leaves it out.

With --address the token is taken from the environment variable OPENAI_API_KEY.

With --json: {{"path", "passages", "left", "drafts", "refused": {{reason: count}}, "stopped", "made_by"}}"""  # noqa: E501 - the terminal wraps it


@dataclass(frozen=True, slots=True)
class Maker:
    """Who shall draft: a local model, or a model behind an address.

    Attributes:
        model: A local model; empty for the usual one.
        address: Where to ask; empty for a local model.
        api_model: The model's name there.
        allow_http: Whether an address may be one that isn't encrypted.
    """

    model: str
    address: str
    api_model: str
    allow_http: bool


def make(
    documents: list[Path], out: Path, maker: Maker, questions: int, *, json: bool
) -> ExitCode:
    """Make drafts and tell what came of it.

    Raises:
        StudioError: Something of the order can't be done, or the maker failed; what
            was made before lies in the file.
    """
    if maker.address and maker.model:
        raise refusal(
            "drafts.maker",
            "A local model and an address can't draft together.",
            fix="Give --model, or --address with --api-model.",
            where="--address",
        )
    if maker.address:
        made, made_by = _by_address(documents, out, maker, questions)
    else:
        made, made_by = _by_model(documents, out, maker, questions)
    if json:
        terminal.say_json(_document(made, made_by))
    else:
        for line in result_words(made.drafts, made.refused, made.left):
            terminal.say(line)
        terminal.say(f"Drafts        {made.path}")
    return ExitCode.STOPPED if made.stopped else ExitCode.OK


def _by_model(
    documents: list[Path], out: Path, maker: Maker, questions: int
) -> tuple[DraftsMade, str]:
    name = maker.model or usual_model()
    doubt = warning_about(name)
    arguments = [str(out.expanduser().absolute())]
    for document in documents:
        arguments += ["--document", str(document.expanduser().absolute())]
    arguments += ["--model", name, "--questions", str(questions)]
    with terminal.ProgressDisplay() as display:
        if doubt:
            display.line(doubt)
        made = run_engine("make-data", *arguments, listener=_Shown(display).hear)
    assert isinstance(made, DraftsMade)
    return made, name


@dataclass(frozen=True, slots=True)
class _Shown:
    """Shows what the engine tells meanwhile."""

    display: terminal.ProgressDisplay

    def hear(self, event: EngineEvent) -> None:
        match event:
            case PhaseChanged(phase=phase):
                self.display.show(Phase(phase).words, 0, 0)
            case Progress(stage=stage, done=done, total=total, unit=unit):
                self.display.show(stage, done, total, f"{done:,.0f} {unit}")
            case Warned(finding=finding):
                terminal.say_finding(heard(finding))


def _by_address(
    documents: list[Path], out: Path, maker: Maker, questions: int
) -> tuple[DraftsMade, str]:
    asked = address_of(maker.address, maker.api_model, allow_http=maker.allow_http)
    making = DraftMaking(DraftOrder(documents, out, questions), asked.made_by)
    count, total = making.count, making.count.left
    with terminal.ProgressDisplay() as display:

        def told(now: DraftCount) -> bool:
            display.show("Drafting", now.done, total, f"{now.done:,} passages")
            return True

        try:
            making.make(asked.ask, told)
        except KeyboardInterrupt:
            display.line("Ended; what was made is kept.")
        except StudioError:
            display.line(f"{count.drafts:,} drafts made before this are kept in {out}.")
            raise
    made = DraftsMade(
        path=str(out.expanduser().absolute()),
        passages=count.passages,
        left=count.left,
        drafts=count.drafts,
        refused=dict(count.refused),
        stopped=bool(count.left),
    )
    return made, asked.made_by


def _document(made: DraftsMade, made_by: str) -> dict[str, object]:
    return {
        "path": made.path,
        "passages": made.passages,
        "left": made.left,
        "drafts": made.drafts,
        "refused": dict(made.refused),
        "stopped": made.stopped,
        "made_by": made_by,
    }
