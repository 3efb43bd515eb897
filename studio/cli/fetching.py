"""`snugtune data fetch`: a data set of the hub, brought to this machine."""

from pathlib import Path

from studio.cli import terminal
from studio.cli.engine_run import run_engine
from studio.domain.hub_names import HubName, is_hub_word
from studio.protocol.data_events import DataFetched
from studio.protocol.events import EngineEvent, Progress
from studio.services.hub_data import fetched
from studio.services.launch import FETCH_DATA

EPILOG = """NAME is owner/name as its page has it, with :configuration, #split and @revision behind it where there are several. A gated or private data set needs a sign-in by hf auth login, or HF_TOKEN.

With --json:

{"path", "name", "rows", "size_bytes", "was_here", "other_splits"}

path is the file of its rows, for data.path; name says all of it, the commit as well."""  # noqa: E501 - the terminal wraps it


def fetch(name: str, *, again: bool, json: bool) -> None:
    """Fetch a data set and say where it lies.

    Raises:
        StudioError: It can't be had, or read.
    """
    told = fetch_now(name, again=again)
    if json:
        terminal.say_json(
            {
                "path": told.path,
                "name": told.name,
                "rows": told.rows,
                "size_bytes": told.size_bytes,
                "was_here": told.was_here,
                "other_splits": list(told.other_splits),
            }
        )
        return
    terminal.say(f"{told.name} has {told.rows:,} rows.")
    if told.other_splits:
        terminal.say(f"Its other splits: {', '.join(told.other_splits)}.")
    terminal.say(
        ("It was here already: " if told.was_here else "It is in ") + told.path
    )


def file_here(file: Path) -> Path:
    """A data file, fetched first when it is named by the hub and isn't here.

    Raises:
        StudioError: It can't be had.
    """
    word = file.as_posix()
    if not is_hub_word(word):
        return file.expanduser().absolute()
    found = fetched(word)
    return Path(fetch_now(word).path) if found is None else found.path


def fetch_now(name: str, *, again: bool = False) -> DataFetched:
    """Have the engine fetch a data set.

    Raises:
        StudioError: It can't be had.
    """
    word = HubName.of(name).word()
    with terminal.ProgressDisplay() as display:

        def hear(event: EngineEvent) -> None:
            if isinstance(event, Progress):
                note = f"{event.done:,.0f} rows"
                display.show(event.stage, event.done, event.total, note)

        more = ["--again"] if again else []
        told = run_engine(FETCH_DATA, word, *more, listener=hear)
    assert isinstance(told, DataFetched)
    return told
