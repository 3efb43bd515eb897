"""The verb fetch-data against a hub on this machine, by the real libraries."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from studio.domain.errors import ExitCode, StudioError
from studio.domain.hub_names import HubName
from studio.protocol.commands import Stop
from studio.protocol.data_events import DataFetched
from studio.protocol.events import Progress
from studio.storage.chat_files import read_chats
from studio.storage.data_digest import digest_of
from studio.storage.hub_data import find_fetched, origin_of
from tests.engine.helpers import engine
from tests.engine.hub_stub import COMMIT, Shelf, hub

SECRET = "hf_plantedTokenThatNobodyMayRead1234"
CONFIGS = """---
configs:
- config_name: small
  data_files: small.jsonl
- config_name: large
  data_files: large.jsonl
---
"""


def lines(rows):
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)


def pairs(count, start="q"):
    return [{"question": f"{start}{n}?", "answer": f"a{n}"} for n in range(count)]


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    mine = tmp_path_factory.mktemp("mine") / "private.jsonl"
    mine.write_bytes(lines(pairs(2)))
    foreign = CONFIGS.replace("small.jsonl", str(mine))
    classes = "---\ndataset_info:\n  features:\n  - name: text\n    dtype: string\n"
    classes += "  - name: kind\n    dtype:\n      class_label:\n        names:\n"
    classes += "          '0': mild\n          '1': strong\n---\n"
    late = [{"question": f"q{n}", "answer": "a", "source": None} for n in range(1500)]
    late += [{"question": "q", "answer": "a", "source": "a book"}] * 3
    return Shelf(
        sets={
            "me/plain": {"train.jsonl": lines(pairs(2500)), "test.jsonl": lines([])},
            "me/splits": {
                f"{s}.jsonl": lines(pairs(3)) for s in ("test", "validation")
            },
            "me/configs": {
                "README.md": CONFIGS.encode(),
                "small.jsonl": lines(pairs(4)),
                "large.jsonl": lines(pairs(9)),
            },
            "me/foreign": {"README.md": foreign.encode(), "large.jsonl": b"{}\n"},
            "me/script": {"script.py": b"print(1)", "train.jsonl": lines(pairs(2))},
            "me/packed": {"train.jsonl.gz": gzip.compress(lines(pairs(7)))},
            "me/classes": {
                "README.md": classes.encode(),
                "train.csv": b"text,kind\nBrie,0\nEpoisses,1\n",
            },
            "me/late": {"a.jsonl": lines(late[:1500]), "b.jsonl": lines(late[1500:])},
            "me/clash": {"a.jsonl": lines([{"a": 1}]), "b.jsonl": lines([{"a": "x"}])},
            "me/readme": {"README.md": b"# Nothing"},
            "me/broken": {"train.parquet": b"PAR1 but nothing more"},
            "me/empty": {"train.csv": b"question,answer\n"},
        },
        refused={
            "me/gated": (403, "GatedRepo"),
            "me/ill": (500, ""),
        },
    )


@pytest.fixture(scope="module")
def address(shelf):
    with hub(shelf) as url:
        yield url


@pytest.fixture
def around(address, tmp_path):
    """The engine's environment."""
    return {
        "HF_ENDPOINT": address,
        "HF_HUB_OFFLINE": "0",
        "HF_HOME": str(tmp_path / "hf"),
        "SNUGTUNE_HOME": str(tmp_path / "home"),
        "HF_TOKEN": SECRET,
    }


def fetch(name, around, *more):
    with engine("fetch-data", name, *more, **around) as process:
        code, log = process.end()
    return code, process.events[-1], log


CHILD = """
import json, sys
from tests.engine.helpers import carry_out
for name in sys.argv[1:]:
    code, events = carry_out("fetch-data", name=name, again=False)
    last = events[-1]
    print(json.dumps([code, last.kind, last.message, last.advice]))
"""


def refused(around, *names):
    """What is said of each of several names, by one engine; nothing may be kept."""
    done = subprocess.run(
        [sys.executable, "-c", CHILD, *names],
        env={**os.environ, **around},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert [code for code, *_ in told] == [ExitCode.BAD_INPUT] * len(names)
    assert "Traceback" not in done.stderr
    assert not kept_files(Path(around["SNUGTUNE_HOME"]))
    return [rest for _, *rest in told]


def kept_files(folder):
    return [each for each in folder.rglob("*") if each.is_file()]


def test_that_a_data_set_is_fetched_once_and_is_then_an_ordinary_file(around, shelf):
    code, told, _ = fetch("hub:me/plain", around)
    assert code == ExitCode.OK, str(told)
    assert isinstance(told, DataFetched)
    assert told.name == f"hub:me/plain:default#train@{COMMIT}"
    assert (told.rows, told.other_splits) == (2500, ("test",))
    path = Path(told.path)
    chats = read_chats(path).chats
    assert [c.question() for c in chats] == [f"q{n}?" for n in range(2500)]
    origin = origin_of(path)
    assert (origin.id, origin.revision, origin.rows) == ("me/plain", COMMIT, 2500)
    assert origin.sha256 == digest_of(path)
    asked = len(shelf.asked)
    _, again, _ = fetch("me/plain", {**around, "HF_HUB_OFFLINE": "1"})
    assert again.was_here
    assert again.path == told.path
    assert len(shelf.asked) == asked


def test_that_a_token_reaches_the_hub_and_no_file(around, shelf, tmp_path):
    shelf.tokens.clear()
    code, told, log = fetch("hub:me/packed", around)
    assert (code, told.rows) == (ExitCode.OK, 7), log
    assert f"Bearer {SECRET}" in shelf.tokens
    assert SECRET not in log
    for file in kept_files(tmp_path):
        assert SECRET.encode() not in file.read_bytes(), file


REFUSALS = {
    "hub:me/configs": ("hub.config", "several configurations. It has: small, large."),
    "hub:me/configs:huge": ("hub.config", "no configuration “huge”"),
    "hub:me/splits": ("hub.split", "It has: validation, test."),
    "hub:me/plain#dev": ("hub.split", "no split “dev”"),
    "hub:me/nothing": ("hub.unknown", "no data set me/nothing, or it is private"),
    "hub:me/gated": ("hub.gated", "is gated"),
    "hub:me/plain@v9": ("hub.revision", "no revision “v9”"),
    "hub:me/script": ("hub.script", "script.py"),
    "hub:me/foreign:small": ("hub.unreadable", "don't belong to me/foreign"),
    "hub:me/readme": ("hub.no-data", "no file that can be read"),
    "hub:me/broken": ("hub.unreadable", "can't be read as rows"),
    "hub:me/empty": ("hub.empty", "holds no rows"),
    "hub:me/clash": ("hub.columns", "the same columns"),
    "hub:me/ill": ("hub.failed", "error 500"),
    "plain": ("hub.name", "names no data set"),
}


def test_that_each_refusal_says_what_and_what_to_do(around):
    told = dict(zip(REFUSALS, refused(around, *REFUSALS), strict=True))
    for name, (kind, words) in REFUSALS.items():
        assert told[name][0] == kind, told[name]
        assert words in told[name][1]
        assert told[name][2]
    assert "hub:me/configs:small" in told["hub:me/configs"][2]


def test_that_a_configuration_and_a_split_can_be_named(around):
    _, told, _ = fetch("hub:me/configs:large", around)
    assert told.rows == 9
    _, told, _ = fetch("hub:me/splits#validation", around)
    assert told.rows == 3


def test_that_files_outside_a_repository_are_never_read():
    from studio.engine.hub_source import refuse_foreign

    own = f"hf://datasets/me/plain@{COMMIT}/train.jsonl"
    for file in ("/etc/passwd", "https://elsewhere/x.jsonl", f"{own}/../../x.jsonl"):
        config = SimpleNamespace(data_files={"train": [own, file]})
        builder = type("Json", (), {"config": config, "__module__": "a.json"})()
        with pytest.raises(StudioError, match="outside its own folder"):
            refuse_foreign(HubName("me/plain"), builder, COMMIT)


def test_that_without_a_connection_it_says_so(around):
    name = "hub:me/plain"
    [(kind, _, _)] = refused({**around, "HF_HUB_OFFLINE": "1"}, name)
    assert kind == "hub.offline"
    [(kind, _, _)] = refused({**around, "HF_ENDPOINT": "http://127.0.0.1:9"}, name)
    assert kind == "hub.unreachable"


def test_that_a_column_that_begins_empty_keeps_what_comes_later(around, tmp_path):
    import pyarrow as pa

    code, told, _ = fetch("hub:me/late", around)
    assert code == ExitCode.OK, str(told)
    with pa.memory_map(told.path) as file:
        table = pa.ipc.open_file(file).read_all()
    assert table.num_rows == 1503
    assert table.column("source").to_pylist()[-4:] == [None, *["a book"] * 3]


def test_that_classes_are_told_by_their_names(around, tmp_path):
    import pyarrow as pa

    code, told, _ = fetch("hub:me/classes", around)
    assert code == ExitCode.OK, str(told)
    with pa.memory_map(told.path) as file:
        rows = pa.ipc.open_file(file).read_all().to_pylist()
    assert [row["kind"] for row in rows] == ["mild", "strong"]


def test_that_a_fetching_can_be_stopped_and_leaves_nothing(around, shelf, tmp_path):
    shelf.pause.clear()
    with engine("fetch-data", "hub:me/plain", **around) as process:
        process.listen_until(Progress)
        process.order(Stop())
        process.popen.terminate()
        process.end()
    shelf.pause.set()
    assert process.events[-1].kind == "interrupted"
    home = tmp_path / "home"
    assert not kept_files(home)
    assert find_fetched(home / "cache" / "hub-data", HubName.of("me/plain")) is None


def test_that_a_data_set_is_inspected_by_its_name(around):
    command = [
        sys.executable,
        "-m",
        "studio",
        "data",
        "inspect",
        "hub:me/configs:large",
    ]
    done = subprocess.run(
        [*command, "--json"],
        env={**os.environ, **around},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["rows"] == 9
