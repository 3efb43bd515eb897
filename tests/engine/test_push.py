"""The verb push against a hub on this machine, by the real libraries."""

import hashlib
import json
import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from studio.domain.errors import ExitCode
from studio.protocol.commands import Stop
from studio.protocol.events import Progress, RunFailed, Stopping
from studio.protocol.export_events import Pushed
from tests.engine.helpers import engine
from tests.engine.push_stub import CUT, Fault, PlayedHub, Repository, played

SECRET = "hf_plantedTokenThatNobodyMayRead1234"
FIRST = "0" * 40
MIB = 1 << 20
CARD = "---\nlicense: mit\n---\n\n# Fine-tuned version of tiny\n\nTrained.\n"


@pytest.fixture
def hub():
    return PlayedHub(SECRET)


@pytest.fixture
def around(hub, tmp_path):
    """The engine's environment."""
    with played(hub) as address:
        yield {
            "HF_ENDPOINT": address,
            "HF_HUB_OFFLINE": "0",
            "HF_HOME": str(tmp_path / "hf"),
            "SNUGTUNE_HOME": str(tmp_path / "home"),
            "HF_TOKEN": SECRET,
            # A fault is told at once, not after a minute of trying.
            "HF_XET_CLIENT_RETRY_BASE_DELAY": "10ms",
            "HF_XET_CLIENT_RETRY_MAX_ATTEMPTS": "1",
        }


def weights(file, size):
    chance = np.random.default_rng(len(str(file)) + size)
    save_file({"w": chance.integers(0, 256, size, np.uint8)}, file)


def adapter(folder, size=2 * MIB):
    folder.mkdir(parents=True)
    weights(folder / "adapter_model.safetensors", size)
    told = {"base_model_name_or_path": "acme/tiny", "peft_type": "LORA"}
    (folder / "adapter_config.json").write_text(json.dumps(told))
    (folder / "tokenizer.json").write_text('{"model": {"vocab": {"/root": 1}}}')
    (folder / "README.md").write_text(CARD)
    return folder


def model(folder, proven=True, shards=(2 * MIB,), certified=True):
    folder.mkdir(parents=True)
    for at, size in enumerate(shards, 1):
        name = f"model-{at:05}-of-{len(shards):05}" if len(shards) > 1 else "model"
        weights(folder / f"{name}.safetensors", size)
    (folder / "config.json").write_text("{}")
    origin = {"run": "cheese-1", "format": "bf16", "adapter_sha256": "0"}
    (folder / "snugtune.json").write_text(json.dumps(origin))
    (folder / "README.md").write_text(CARD)
    if certified:
        (folder / "parity.json").write_text(json.dumps({"proven": proven}))
    return folder


def gguf(folder, proven=None):
    folder.mkdir(parents=True)
    (folder / "cheese-q8_0.gguf").write_bytes(b"GGUF" + bytes(range(256)) * 8192)
    (folder / "Modelfile").write_text("FROM ./cheese-q8_0.gguf\n")
    (folder / "snugtune.json").write_text(
        json.dumps({"run": "cheese-1", "format": "q8_0", "adapter_sha256": "0"})
    )
    if proven is not None:
        told = json.dumps({"proven": proven})
        (folder / "cheese-q8_0.parity.json").write_text(told)
    return folder


def push(folder, around, *more, to="me/cheese"):
    """Push by the engine's own process.

    Returns:
        (exit code, last event, everything that it printed)
    """
    with engine("push", folder, "--to", to, *more, **around) as process:
        code, log = process.end()
    return code, process.events[-1], log


def pushed(folder, around, *more, to="me/cheese"):
    code, told, log = push(folder, around, *more, to=to)
    assert code == ExitCode.OK, f"{told}{log}"
    assert SECRET not in f"{told}{log}"
    assert isinstance(told, Pushed)
    return told


def refused(folder, around, *more, to="me/cheese"):
    """The kind of a refusal; nothing may be committed."""
    code, told, log = push(folder, around, *more, to=to)
    assert isinstance(told, RunFailed), told
    assert "Traceback" not in log
    assert told.message
    assert told.advice
    assert SECRET not in f"{told}{log}"
    return told.kind, code, f"{told.message} {told.advice}"


def command(*arguments, around):
    """`snugtune push`, as a person types it."""
    return subprocess.run(
        [sys.executable, "-m", "studio", "push", *map(str, arguments)],
        env={**os.environ, **around},
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def flat(text):
    return " ".join(text.split())


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def names(folder):
    return sorted(file.name for file in folder.iterdir())


def test_that_an_adapter_becomes_one_commit_of_a_private_repository(
    hub, around, tmp_path
):
    folder = adapter(tmp_path / "adapter")
    told = pushed(folder, around)
    repository = hub.repositories["me/cheese"]
    assert repository.private
    assert hub.created[0]["visibility"] == "private"
    assert repository.commits == [("main", "Push the adapter", names(folder))]
    held = repository.branches["main"]
    file = folder / "adapter_model.safetensors"
    assert held[file.name] == (digest(file), file.stat().st_size)
    for name in ("adapter_config.json", "README.md", "tokenizer.json"):
        assert held[name] == (folder / name).read_bytes()
    assert told.is_private
    assert told.is_new
    assert not told.was_there
    assert told.address == f"{around['HF_ENDPOINT']}/me/cheese"
    assert told.commit == repository.heads["main"]
    assert told.files == 4
    assert told.sent_bytes >= file.stat().st_size
    assert told.token_from == "the environment variable HF_TOKEN"


def test_that_the_second_push_of_the_same_commits_nothing(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    first = pushed(folder, around)
    pieces = len(hub.pieces)
    again = pushed(folder, around)
    assert again.was_there
    assert not again.is_new
    assert again.commit == first.commit
    assert len(hub.pieces) == pieces
    assert again.sent_bytes == 0
    assert len(hub.repositories["me/cheese"].commits) == 1


@pytest.mark.parametrize("way", ["xet", "lfs"])
def test_that_after_a_break_the_rest_alone_is_sent(hub, around, tmp_path, way):
    folder = model(tmp_path / "merged", shards=(2 * MIB, 3 * MIB, 4 * MIB))
    if way == "lfs":
        around = {**around, "HF_HUB_DISABLE_XET": "1"}
        hub.faults.append(Fault("/lfs/", 413, after=3))  # one file, verified
    else:
        hub.faults.append(Fault("/xorbs/", CUT, after=1))
    done = command(folder, "--to", "me/cheese", around=around)
    assert done.returncode == ExitCode.BAD_INPUT
    assert ("has no room" if way == "lfs" else "line broke") in flat(done.stderr)
    repository = hub.repositories["me/cheese"]
    assert repository.commits == []
    assert list(repository.branches["main"]) == [".gitattributes"]
    before = sum(hub.pieces)
    hub.faults.clear()
    hub.pieces.clear()
    told = pushed(folder, around)
    sizes = {file.name: file.stat().st_size for file in folder.iterdir()}
    whole = sum(size for name, size in sizes.items() if name.endswith(".safetensors"))
    assert before < whole
    assert sum(hub.pieces) < whole
    assert sum(hub.pieces) >= whole - before
    assert [each[2] for each in repository.commits] == [names(folder)]
    assert told.sent_bytes is None if way == "lfs" else told.sent_bytes < whole


def test_that_a_break_within_a_large_file_keeps_what_was_sent(hub, around, tmp_path):
    folder = model(tmp_path / "merged", shards=(200 * MIB,))
    hub.faults.append(Fault("/xorbs/", CUT, after=2))
    done = command(folder, "--to", "me/cheese", around=around)
    assert done.returncode == ExitCode.BAD_INPUT
    assert "line broke" in flat(done.stderr)
    hub.faults.clear()
    hub.pieces.clear()
    done = command(folder, "--to", "me/cheese", "--json", around=around)
    assert done.returncode == 0, done.stderr
    assert sum(hub.pieces) < 150 * MIB
    assert json.loads(done.stdout)["sent_bytes"] < 150 * MIB
    file = folder / "model.safetensors"
    held = hub.repositories["me/cheese"].branches["main"]
    assert held[file.name] == (digest(file), file.stat().st_size)


def test_that_a_killed_push_keeps_what_was_sent(hub, around, tmp_path):
    folder = model(tmp_path / "merged", shards=(200 * MIB,))
    hub.free = 2
    hub.pause.clear()
    program = subprocess.Popen(
        [sys.executable, "-m", "studio", "push", folder, "--to", "me/cheese"],
        env={**os.environ, **around},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    notes = tmp_path / "hf" / "xet"
    wait_until(lambda: len(list(notes.rglob("xorb_metadata/*.mdb"))) >= 2)
    program.kill()
    program.wait()
    hub.pause.set()
    hub.pieces.clear()
    assert hub.repositories["me/cheese"].commits == []
    done = command(folder, "--to", "me/cheese", around=around)
    assert done.returncode == 0, done.stderr
    assert sum(hub.pieces) < 150 * MIB


def wait_until(holds):
    until = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_that_a_public_repository_is_pushed_to_on_purpose_alone(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    open_one = hub.repositories["me/open"] = Repository(private=False)
    kind, code, words = refused(folder, around, to="me/open")
    assert (kind, code) == ("hub.public", ExitCode.BAD_INPUT)
    assert "--public" in words
    assert open_one.commits == []
    assert not hub.pieces
    assert not pushed(folder, around, "--public", to="me/open").is_private
    assert len(open_one.commits) == 1
    assert not pushed(folder, around, "--public", to="me/new").is_private
    assert hub.created[-1]["visibility"] == "public"


def test_that_a_private_repository_stays_private(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    hub.repositories["me/shut"] = Repository(private=True)
    done = command(folder, "--to", "me/shut", "--public", around=around)
    assert done.returncode == 0, done.stderr
    assert "stays private" in done.stdout
    assert hub.repositories["me/shut"].private


UNPROVEN = {
    "red": (lambda f: model(f, proven=False), "push.differs", ExitCode.DIFFERENT),
    "bare": (lambda f: model(f, certified=False), "push.unproven", ExitCode.BAD_INPUT),
    "red-gguf": (lambda f: gguf(f, proven=False), "push.differs", ExitCode.DIFFERENT),
    "bare-gguf": (gguf, "push.unproven", ExitCode.BAD_INPUT),
}


@pytest.mark.parametrize("name", UNPROVEN)
def test_that_what_is_not_proven_is_pushed_on_purpose_alone_and_says_so(
    hub, around, tmp_path, name
):
    make, kind, code = UNPROVEN[name]
    folder = make(tmp_path / name)
    assert refused(folder, around)[:2] == (kind, code)
    assert not hub.asked
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    pushed(folder, around, "--accept-unproven")
    card = hub.repositories["me/cheese"].branches["main"]["README.md"].decode()
    differs = code is ExitCode.DIFFERENT
    assert ("**doesn’t say** what was trained" in card) is differs
    assert ("it has no certificate" in card) is not differs
    if "README.md" in before:
        assert card.startswith("---\nlicense: mit\n---\n\n# Fine-tuned version of tiny")
        assert card.endswith("\n\nTrained.\n")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_that_proven_gguf_files_go_up_as_they_are(hub, around, tmp_path):
    folder = gguf(tmp_path / "gguf-q8_0", proven=True)
    told = pushed(folder, around, "--message", "-q8 for Ollama")
    repository = hub.repositories["me/cheese"]
    assert repository.commits == [("main", "-q8 for Ollama", names(folder))]
    assert told.files == 4


def test_that_a_branch_is_made_and_main_left_alone(hub, around, tmp_path):
    folder = model(tmp_path / "merged")
    told = pushed(folder, around, "--revision", "v2")
    repository = hub.repositories["me/cheese"]
    assert [each[0] for each in repository.commits] == ["v2"]
    assert list(repository.branches["main"]) == [".gitattributes"]
    assert told.branch == "v2"
    assert told.address.endswith("/me/cheese/tree/v2")


def test_that_an_earlier_models_weights_dont_stay_beside_the_new(hub, around, tmp_path):
    pushed(model(tmp_path / "one"), around)
    repository = hub.repositories["me/cheese"]
    repository.branches["main"]["notes.txt"] = b"mine"
    two = model(tmp_path / "two", shards=(2 * MIB, 2 * MIB))
    pushed(two, around)
    held = set(repository.branches["main"])
    assert held == {*names(two), ".gitattributes", "notes.txt"}


def test_that_adapters_and_models_dont_mix(hub, around, tmp_path):
    both = (adapter(tmp_path / "adapter"), model(tmp_path / "merged"))
    for first, second in (both, both[::-1]):
        to = f"me/{first.name}"
        pushed(first, around, to=to)
        assert refused(second, around, to=to)[0] == "hub.other-kind"
        assert len(hub.repositories[to].commits) == 1


def test_that_no_pickle_link_or_folder_goes_up(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    (folder / "training_args.bin").write_bytes(b"\x80\x04.")
    (folder / "checkpoints").mkdir()
    secret = tmp_path / "secret.txt"
    secret.write_text("mine")
    (folder / "linked.txt").symlink_to(secret)
    told = pushed(folder, around)
    assert told.left_out == ("checkpoints/", "linked.txt", "training_args.bin")
    held = set(hub.repositories["me/cheese"].branches["main"])
    assert not held & {"linked.txt", "training_args.bin"}


HIDDEN = {
    "push.file": ("notes.txt", b"\x80\x04\x95pickled"),
    "push.private": ("notes.md", b"see {home}/data"),
}


@pytest.mark.parametrize("kind", HIDDEN)
def test_that_a_file_is_looked_into_before_it_goes_up(hub, around, tmp_path, kind):
    folder = adapter(tmp_path / "adapter")
    name, content = HIDDEN[kind]
    home = str(tmp_path / "home" / "data").encode()
    (folder / name).write_bytes(content.replace(b"{home}/data", home))
    assert refused(folder, around)[0] == kind
    assert not hub.asked


@pytest.mark.parametrize("name", ["adapter_model.safetensors", "cheese-q8_0.gguf"])
def test_that_what_weights_say_of_themselves_is_looked_into(
    hub, around, tmp_path, name
):
    if name.endswith(".gguf"):
        folder = gguf(tmp_path / "gguf", proven=True)
        whole = (folder / name).read_bytes()
        (folder / name).write_bytes(whole + str(folder).encode())
    else:
        folder = adapter(tmp_path / "adapter")
        tensors = {"w": np.zeros(4, np.uint8)}
        save_file(tensors, folder / name, {"from": str(folder)})
    assert refused(folder, around)[0] == "push.private"
    assert not hub.asked


def test_that_a_pickle_is_no_gguf_and_no_safetensors_file(around, tmp_path):
    folder = gguf(tmp_path / "gguf", proven=True)
    (folder / "cheese-q8_0.gguf").write_bytes(b"\x80\x04\x95" * 400)
    assert refused(folder, around)[0] == "push.file"
    folder = adapter(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").write_bytes(b"\x80\x04\x95" * 400)
    assert refused(folder, around)[1] == ExitCode.BAD_INPUT


def test_that_a_folder_of_several_artefacts_asks_for_one(hub, around, tmp_path):
    out = tmp_path / "exports"
    adapter(out / "adapter")
    assert pushed(out, around).path == str(out / "adapter")
    model(out / "merged")
    kind, _, words = refused(out, around)
    assert kind == "push.several"
    assert "adapter, merged" in words
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty", around)[0] == "push.no-artefact"


FAULTS = {
    "hub.token-wrong": Fault("/whoami-v2", 401),
    "hub.too-often": Fault("/whoami-v2", 429),
    "hub.taken": Fault("/repos/create", 409),
    "hub.gated": Fault("/api/models/", 403, code="GatedRepo"),
    "hub.full": Fault("/xorbs/", 507),
    "hub.moved": Fault("/commit/", 412),
    "hub.failed": Fault("/commit/", 500),
    "hub.refused": Fault("/commit/", 400, message=f"No, {SECRET}, the card is bad."),
    "hub.unreachable": Fault("/commit/", CUT),
    "hub.denied": Fault("/xet-write-token/", 403),
}


@pytest.mark.parametrize("kind", FAULTS)
def test_that_each_refusal_of_the_hub_says_what_and_what_to_do(
    hub, around, tmp_path, kind
):
    hub.faults.append(replace(FAULTS[kind]))
    found, code, words = refused(adapter(tmp_path / "adapter"), around)
    assert found == kind, words
    assert code == ExitCode.BAD_INPUT
    assert not any(each.commits for each in hub.repositories.values())


def test_that_storage_that_is_full_is_told_in_the_hubs_own_words(hub, around, tmp_path):
    around = {**around, "HF_HUB_DISABLE_XET": "1"}
    said = "Private repository storage limit reached"
    hub.faults.append(Fault("/objects/batch", 402, message=said))
    kind, _, words = refused(adapter(tmp_path / "adapter"), around)
    assert kind == "hub.full"
    assert said in words


def test_that_an_owner_who_isnt_yours_is_refused(around, tmp_path):
    kind, _, words = refused(adapter(tmp_path / "a"), around, to="others/cheese")
    assert kind == "hub.denied"
    assert "rights to create" in words


def test_that_a_token_that_may_only_read_is_refused(hub, around, tmp_path):
    hub.role = "read"
    assert refused(adapter(tmp_path / "adapter"), around)[0] == "hub.read-only"
    assert not hub.created


def test_that_a_file_which_the_repository_ignores_is_no_push(hub, around, tmp_path):
    repository = hub.repositories["me/cheese"] = Repository()
    repository.ignored.add("adapter_model.safetensors")
    kind, _, words = refused(adapter(tmp_path / "adapter"), around)
    assert kind == "hub.incomplete"
    assert ".gitignore" in words
    assert repository.commits == []


def test_that_without_a_connection_or_token_it_says_so(around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    assert refused(folder, {**around, "HF_HUB_OFFLINE": "1"})[0] == "hub.offline"
    gone = {**around, "HF_ENDPOINT": "http://127.0.0.1:9"}
    assert refused(folder, gone)[0] == "hub.unreachable"
    assert refused(folder, {**around, "HF_TOKEN": ""})[0] == "hub.no-token"


@pytest.mark.parametrize("to", ["cheese", "me/a--b", "me/..", "a/b/c", "me/x.git"])
def test_that_a_name_is_refused_that_the_hub_wouldnt_take(hub, around, tmp_path, to):
    done = command(adapter(tmp_path / "adapter"), "--to", to, around=around)
    assert done.returncode == ExitCode.BAD_INPUT
    assert "owner/name" in done.stderr
    assert not hub.asked


def test_that_the_token_of_the_hubs_own_store_serves(hub, around, tmp_path):
    (tmp_path / "hf").mkdir()
    (tmp_path / "hf" / "token").write_text(f"{SECRET}\n")
    told = pushed(adapter(tmp_path / "adapter"), {**around, "HF_TOKEN": ""})
    assert told.token_from == "the hub’s own store (hf auth login)"


def test_that_a_keyrings_token_serves(hub, around, tmp_path):
    said = f'def get_password(service, user):\n    return "{SECRET}"\n'
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "keyring.py").write_text(said)
    path = os.pathsep.join([str(tmp_path / "packages"), str(Path.cwd())])
    told = pushed(
        adapter(tmp_path / "adapter"), {**around, "HF_TOKEN": "", "PYTHONPATH": path}
    )
    assert told.token_from == "the system’s keyring"


@pytest.mark.parametrize("way", ["order", "signal", "orphan"])
def test_that_a_push_can_be_ended_and_commits_nothing(hub, around, tmp_path, way):
    folder = adapter(tmp_path / "adapter")
    hub.pause.clear()
    with engine("push", folder, "--to", "me/cheese", **around) as process:
        process.listen_until(Progress)
        assert hub.at_piece.wait(60)
        if way == "order":
            process.order(Stop())
        elif way == "signal":
            process.popen.terminate()
        else:
            process.popen.stdin.close()
        code, log = process.end()
    hub.pause.set()
    assert process.events[-1].kind == "interrupted", log
    ends = {"order": 0, "signal": ExitCode.STOPPED, "orphan": ExitCode.ORPHANED}
    assert code == ends[way]
    assert hub.repositories["me/cheese"].commits == []
    assert pushed(folder, around).files == 4


def test_that_a_commit_under_way_is_waited_for(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    hub.free = 99
    hub.pause.clear()
    with engine("push", folder, "--to", "me/cheese", **around) as process:
        assert hub.at_commit.wait(60)
        process.order(Stop())
        process.listen_until(Stopping)
        time.sleep(0.5)  # it looks for orders ten times a second
        hub.pause.set()
        process.end()
    assert isinstance(process.events[-1], Pushed)
    assert len(hub.repositories["me/cheese"].commits) == 1


def test_that_a_hub_which_then_says_no_more_has_pushed(hub, around, tmp_path):
    hub.faults.append(Fault("/revision/", CUT))
    told = pushed(adapter(tmp_path / "adapter"), around)
    assert told.commit == hub.repositories["me/cheese"].heads["main"]


def test_that_a_token_goes_nowhere_in_the_clear(around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    plain = {**around, "HF_ENDPOINT": "http://192.0.2.1"}
    assert refused(folder, plain)[0] == "hub.plain"


def test_that_progress_is_told_in_bytes(around, tmp_path):
    folder = model(tmp_path / "merged", shards=(2 * MIB, 3 * MIB))
    with engine("push", folder, "--to", "me/cheese", **around) as process:
        process.end()
    told = [event for event in process.events if isinstance(event, Progress)]
    sizes = [file.stat().st_size for file in folder.iterdir()]
    assert {each.unit for each in told} == {"bytes"}
    assert {each.total for each in told} == {sum(sizes)}
    done = [each.done for each in told]
    assert done == sorted(done)
    assert done[-1] == sum(sizes)


def test_that_the_token_reaches_the_hub_and_nothing_else(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    _, _, log = push(folder, {**around, "HF_DEBUG": "1"})
    assert "/api/models/me/cheese" in log
    done = command(folder, "--to", "me/cheese", around=around)
    assert done.returncode == 0, done.stderr
    hub.faults.append(Fault("/commit/", 400, message=f"No, {SECRET}!"))
    (folder / "README.md").write_text("# Another\n")
    failed = command(folder, "--to", "me/cheese", "--json", around=around)
    assert failed.returncode == ExitCode.BAD_INPUT
    said = log + done.stdout + done.stderr + failed.stdout + failed.stderr
    assert SECRET not in said
    assert "hf_planted" not in said
    signed = {path for path, header in hub.signed if SECRET in header}
    assert signed
    assert all(path.startswith("/api/") for path in signed)
    written = [each for each in tmp_path.rglob("*") if each.is_file()]
    assert any(each.suffix == ".log" for each in written)  # the transfer's own
    for file in written:
        assert SECRET.encode() not in file.read_bytes(), file


def test_that_the_token_is_in_no_processes_arguments(hub, around, tmp_path):
    folder = adapter(tmp_path / "adapter")
    hub.pause.clear()
    arguments = ["push", str(folder), "--to", "me/cheese"]
    program = subprocess.Popen(
        [sys.executable, "-m", "studio", *arguments],
        env={**os.environ, **around},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert hub.at_piece.wait(60)
        seen = [
            line
            for place in Path("/proc").glob("[0-9]*/cmdline")
            if str(folder).encode() in (line := _read(place))
        ]
    finally:
        hub.pause.set()
        assert program.wait(60) == 0
    assert len(seen) == 2  # the program and its engine
    assert not any(SECRET.encode() in line for line in seen)


def _read(place):
    try:
        return place.read_bytes()
    except OSError:
        return b""
