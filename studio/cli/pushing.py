"""`snugtune push`: what was exported goes to a hub, private unless said otherwise."""

from pathlib import Path
from typing import Annotated

import typer

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.hardware import GIB, gib
from studio.domain.hub_names import branch_name, repository_name
from studio.protocol.events import EngineEvent, Progress
from studio.protocol.export_events import Pushed
from studio.services.launch import PUSH

_MIB = 1 << 20
HELP = """ARTEFACT is the folder of an adapter, a merged model or GGUF files, as snugtune export made it, or of the model that a run of all weights left. The repository is made, private, where there is none; one that is public is refused without --public. All files become one commit, or none; after a break the same command sends the rest.

The token comes from HF_TOKEN, from the system's keyring (entry snugtune, huggingface) where Python's keyring is installed, or from hf auth login. It needs the right to write.

With --json:

{"path", "name", "address", "branch", "commit", "private", "new", "was_there", "files", "bytes", "sent_bytes", "token_from", "left_out"}"""  # noqa: E501 - the terminal wraps it


def push(  # noqa: PLR0913 - a command line has the options it has
    artefact: Annotated[
        Path, typer.Argument(metavar="ARTEFACT", help="The folder to push.")
    ],
    to: Annotated[
        str, typer.Option("--to", metavar="OWNER/NAME", help="The repository.")
    ],
    revision: Annotated[
        str,
        typer.Option(
            "--revision", metavar="BRANCH", help="A branch, made where it is missing."
        ),
    ] = "",
    message: Annotated[
        str, typer.Option("--message", help="What the commit says.")
    ] = "",
    *,
    public: Annotated[
        bool, typer.Option("--public", help="Everybody may see it.")
    ] = False,
    accept_unproven: Annotated[
        bool,
        typer.Option(
            "--accept-unproven",
            help="Push a model that isn’t proven to say what was trained.",
        ),
    ] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON.")
    ] = False,
) -> None:
    """Push an exported adapter or model to the Hugging Face hub."""
    options = ["--to", repository_name(to)]
    if branch := branch_name(revision):
        options += ["--revision", branch]
    options += [f"--message={message}"] if message else []
    options += ["--public"] if public else []
    options += ["--accept-unproven"] if accept_unproven else []
    pushed = _push(artefact.expanduser().absolute(), options)
    if json:
        terminal.say_json(document(pushed))
    else:
        _say(pushed, wanted_public=public)


def document(pushed: Pushed) -> dict[str, object]:
    """What was pushed, for programs."""
    return {
        "path": pushed.path,
        "name": pushed.name,
        "address": pushed.address,
        "branch": pushed.branch,
        "commit": pushed.commit,
        "private": pushed.is_private,
        "new": pushed.is_new,
        "was_there": pushed.was_there,
        "files": pushed.files,
        "bytes": pushed.size_bytes,
        "sent_bytes": pushed.sent_bytes,
        "token_from": pushed.token_from,
        "left_out": list(pushed.left_out),
    }


def _push(artefact: Path, options: list[str]) -> Pushed:
    with terminal.ProgressDisplay() as display:

        def hear(event: EngineEvent) -> None:
            if isinstance(event, Progress):
                note = f"{_size(event.done)} of {_size(event.total)}"
                display.show(event.stage, event.done, event.total, note)

        pushed = run_engine(PUSH, str(artefact), *options, listener=hear)
    assert isinstance(pushed, Pushed)
    return pushed


def _size(amount: float) -> str:
    return gib(amount) if amount >= GIB else f"{amount / _MIB:,.1f} MiB"


def _say(pushed: Pushed, *, wanted_public: bool) -> None:
    seen = "private" if pushed.is_private else "public"
    made = "made for it" if pushed.is_new else "there before"
    terminal.say(pushed.address)
    terminal.say(f"  {pushed.files} files, {_size(pushed.size_bytes)}")
    if pushed.was_there:
        terminal.say("  All of it was there already.")
    else:
        terminal.say(f"  Commit {pushed.commit[:12]} on {pushed.branch}")
    terminal.say(f"  The repository is {seen}; it was {made}.")
    if wanted_public and pushed.is_private:
        terminal.say("  It stays private: who may see it is changed on its page.")
    terminal.say(f"  Signed in by {pushed.token_from}.")
    if pushed.left_out:
        terminal.say(f"  Not pushed: {', '.join(pushed.left_out)}")
