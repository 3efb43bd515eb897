"""Streams that real engines said: each line is read, and written as it was.

`python -m tests.protocol.record` records them anew.
"""

import re
from pathlib import Path
from typing import get_args

import pytest

from studio.protocol.codec import WireError, decode_event, encode
from studio.protocol.events import (
    PROTOCOL_VERSION,
    EngineEvent,
    Hello,
    RunFailed,
    RunFinished,
    StepFinished,
)

STREAMS = sorted((Path(__file__).parent / "streams").glob("*.jsonl"))
LINES = {
    stream.stem: stream.read_bytes().splitlines(keepends=True) for stream in STREAMS
}


def events_of(name):
    return [decode_event(line) for line in LINES[name]]


@pytest.mark.parametrize("name", LINES)
def test_that_each_line_is_written_again_as_it_was(name):
    assert LINES[name]
    for line in LINES[name]:
        assert encode(decode_event(line)) == line


@pytest.mark.parametrize("name", LINES)
def test_that_a_stream_begins_with_hello_and_keeps_its_time(name):
    events = events_of(name)
    assert isinstance(events[0], Hello)
    assert events[0].protocol == PROTOCOL_VERSION
    assert not any(isinstance(event, Hello) for event in events[1:])
    times = [event.at for event in events]
    assert times == sorted(times)


def test_that_every_kind_of_event_is_in_some_stream():
    seen = {type(event) for name in LINES for event in events_of(name)}
    assert seen == set(get_args(EngineEvent))


@pytest.mark.parametrize(
    ("name", "last"), [("finished", RunFinished), ("failed", RunFailed)]
)
def test_that_a_run_ends_in_one_last_word(name, last):
    words = [e for e in events_of(name) if isinstance(e, RunFinished | RunFailed)]
    assert [type(word) for word in words] == [last]
    assert isinstance(events_of(name)[-1], last)


def test_that_a_killed_run_has_no_last_word():
    events = events_of("killed")
    assert not any(isinstance(event, RunFinished | RunFailed) for event in events)
    assert any(isinstance(event, StepFinished) for event in events)


@pytest.mark.parametrize("name", LINES)
def test_that_streams_name_no_place_of_the_machine_that_recorded_them(name):
    paths = re.findall(rb'[" ](/[^/" ]+/[^/" :]*)', b"".join(LINES[name]))
    assert set(paths) <= {b"/home/someone"}


def test_that_a_torn_line_is_refused_in_words():
    whole = LINES["finished"][0]
    with pytest.raises(WireError):
        decode_event(whole[: len(whole) // 2])


def test_that_an_unknown_field_is_refused():
    line = LINES["finished"][1].replace(b'"phase":', b'"mood":"good","phase":', 1)
    with pytest.raises(WireError, match="mood"):
        decode_event(line)
