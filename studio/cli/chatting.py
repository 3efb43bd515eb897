"""`snugtune chat`: talk to a run's voices, or to a model, from the terminal.

On a terminal Ctrl+C stops the answer and Ctrl+D ends; without one, each line that is
piped in is a question.
"""

import contextlib
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from studio.cli import terminal
from studio.cli.engine_run import result_of
from studio.domain.chatting import (
    Answer,
    Conversation,
    Ended,
    Round,
    Sampling,
    Voice,
    default_voices,
)
from studio.domain.errors import ExitCode, refusal
from studio.protocol.answer_events import (
    AnswerBegun,
    AnswerEnded,
    AnswerPiece,
    AnswerRefused,
)
from studio.protocol.codec import heard
from studio.protocol.events import EngineEvent, Progress
from studio.services.conversing import (
    ChatEngine,
    ChatSource,
    answer_of,
    ask_for,
    save_conversation,
)

NEW = "/new"
_DEFAULTS = Sampling()
_HELP = f"Ctrl+C stops an answer, {NEW} begins anew, Ctrl+D ends."


Source = Annotated[
    str,
    typer.Argument(metavar="RUN_OR_MODEL", help="A run, or a model’s name or folder."),
]
Voices = Annotated[
    list[str] | None,
    typer.Option(
        "--voice",
        help="Who answers: base, few-shot, few-shot-N, adapter, model, merged, "
        "checkpoint-N; may be repeated.",
    ),
]
Prompts = Annotated[
    list[str] | None,
    typer.Option(
        "--prompt", help="Ask this and end; may be repeated for further turns."
    ),
]
System = Annotated[str, typer.Option("--system", help="A system message before all.")]
Temperature = Annotated[float, typer.Option(help="0 takes the likeliest token always.")]
TopP = Annotated[float, typer.Option(help="Draw from this share of the probability.")]
TopK = Annotated[int, typer.Option(help="Draw from so many tokens; 0 for all.")]
Penalty = Annotated[
    float, typer.Option(help="Weakens what was said already; 1 doesn’t.")
]
Longest = Annotated[int, typer.Option(help="Longest answer, in tokens.")]
Seed = Annotated[int, typer.Option(help="Of the random numbers.")]
Save = Annotated[
    Path | None,
    typer.Option("--save", metavar="FILE.md|FILE.json", help="Write all of it."),
]
Json = Annotated[
    bool, typer.Option("--json", help="Print all of it as JSON at the end.")
]


def chat(  # noqa: PLR0913, PLR0917 - a command line has the options it has
    source: Source,
    voice: Voices = None,
    prompt: Prompts = None,
    system: System = "",
    temperature: Temperature = _DEFAULTS.temperature,
    top_p: TopP = _DEFAULTS.top_p,
    top_k: TopK = _DEFAULTS.top_k,
    repetition_penalty: Penalty = _DEFAULTS.repetition_penalty,
    max_new_tokens: Longest = _DEFAULTS.max_new_tokens,
    seed: Seed = _DEFAULTS.seed,
    save: Save = None,
    *,
    json: Json = False,
) -> None:
    """Talk to a run’s base, adapter and checkpoints, or to a model."""
    sampling = Sampling(
        temperature=temperature,
        top_p=top_p,
        top_k=top_k,
        repetition_penalty=repetition_penalty,
        max_new_tokens=max_new_tokens,
        seed=seed,
    ).check()
    _refuse_taken(save)
    found = ChatSource.of(source)
    voices = found.chosen(voice or ()) or default_voices(found.voices)
    talk = Conversation(found.title, system)
    with ChatEngine(found) as engine:
        teller = _Teller(engine, voices, sampling, is_quiet=json)
        talk = teller.hold(talk, prompt)
    if save is not None:
        save_conversation(talk, save)
        terminal.say_aside(f"Written to {save}.")
    if json:
        terminal.say_json(talk.as_document())
    if teller.worst and (prompt or not sys.stdin.isatty()):
        raise typer.Exit(teller.worst)


def _refuse_taken(file: Path | None) -> None:
    if file is not None and file.exists():
        raise refusal(
            "chat.file-taken",
            "There is a file of that name already.",
            why="It was left as it is.",
            fix="Name another one.",
            where=str(file),
        )


@dataclass(slots=True)
class _Teller:
    """Asks, and prints what is said.

    Attributes:
        engine: That answers.
        voices: That are asked.
        sampling: By which they answer.
        is_quiet: Print no answers: all of it is printed at the end.
        worst: Of the exit codes that voices were refused with.
    """

    engine: ChatEngine
    voices: Sequence[Voice]
    sampling: Sampling
    is_quiet: bool
    worst: int = 0
    _order: int = 0
    _answers: dict[Voice, Answer] = field(default_factory=dict)

    def hold(self, talk: Conversation, prompts: Sequence[str] | None) -> Conversation:
        """Talk until there are no more questions.

        Raises:
            StudioError: The engine failed.
        """
        ended = _interrupts(self.engine, answers=False)
        with ended, terminal.ProgressDisplay() as display:
            begun = self.engine.begin(lambda event: _show(display, event))
        self._refuse_ended(lived=begun)
        began = talk
        for question in prompts or _questions():
            if question == NEW and not prompts:
                talk = began
                continue
            talk = talk.with_round(self._round(talk, question))
        return talk

    def _round(self, talk: Conversation, question: str) -> Round:
        ask = ask_for(self._order, talk, self.voices, question, self.sampling)
        self._order, self._answers = self._order + 1, {}
        with _interrupts(self.engine):
            lived = self.engine.ask(ask, self._hear)
        self._refuse_ended(lived=lived)
        unasked = Answer("", ended=Ended.STOPPED)
        told = {voice: self._answers.get(voice, unasked) for voice in self.voices}
        return Round(question, told, self.sampling)

    def _refuse_ended(self, *, lived: bool) -> None:
        if not lived:
            result_of(self.engine.outcome())  # raises, unless it was told to stop
            raise typer.Exit(ExitCode.STOPPED)

    def _hear(self, event: EngineEvent) -> None:
        match event:
            case Progress(stage=stage, done=done, total=total) if done >= total:
                terminal.say_aside(f"{stage}: done")
            case AnswerEnded(voice=word) | AnswerRefused(voice=word):
                self._answers[Voice.of(word)] = answer_of(event)
        if not self.is_quiet:
            self._print(event)
        if isinstance(event, AnswerRefused):
            finding = heard(event.finding)
            terminal.say_finding(finding)
            ran_out = finding.code == "out-of-memory"
            self.worst = ExitCode.OUT_OF_MEMORY if ran_out else ExitCode.BAD_INPUT

    def _print(self, event: EngineEvent) -> None:
        match event:
            case AnswerBegun(voice=word) if len(self.voices) > 1:
                terminal.say_piece(f"{Voice.of(word).title}: ")
            case AnswerPiece(text=text):
                terminal.say_piece(text)
            case AnswerEnded(ended=ended, text=text):
                terminal.say("" if text else "(no answer)")
                if remark := Ended(ended).remark:
                    terminal.say_aside(remark)
            case _:
                pass


def _show(display: terminal.ProgressDisplay, event: EngineEvent) -> None:
    if isinstance(event, Progress):
        display.show(event.stage, event.done, event.total)


def _questions() -> Iterator[str]:
    """What is typed or piped in, line by line; empty lines are none."""
    if not sys.stdin.isatty():
        yield from (line for raw in sys.stdin if (line := raw.strip()))
        return
    with contextlib.suppress(ImportError):
        import readline  # noqa: F401 - gives input() a history

    terminal.say_aside(_HELP)
    while True:
        try:
            line = input("> ").strip()
        except EOFError:
            terminal.say()
            return
        except KeyboardInterrupt:
            terminal.say()
            continue
        if line:
            yield line


@contextlib.contextmanager
def _interrupts(engine: ChatEngine, *, answers: bool = True) -> Iterator[None]:
    """Let Ctrl+C stop the answer; another one, or the first without, the engine."""
    was_asked = not answers

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        nonlocal was_asked
        if was_asked:
            engine.terminate()
        else:
            was_asked = True
            engine.stop_answer()

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
