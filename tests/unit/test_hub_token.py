"""The token's source is told; the token isn't."""

import sys
from types import SimpleNamespace

import pytest

from studio.system import hub_token
from studio.system.hub_token import TokenSource, find_token

SECRET = "hf_plantedTokenThatNobodyMayRead1234"


@pytest.fixture(autouse=True)
def nothing(monkeypatch, tmp_path):
    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setitem(sys.modules, "keyring", None)  # as if it weren't installed


def store(folder):
    (folder / "token").write_text(f" {SECRET}-of-the-store\n")


def keyring(monkeypatch, answer):
    monkeypatch.setitem(sys.modules, "keyring", SimpleNamespace(get_password=answer))


def test_that_nothing_is_found_where_nothing_is():
    assert find_token() is None


def test_that_the_environment_comes_first_then_the_keyring(monkeypatch, tmp_path):
    store(tmp_path)
    assert find_token().source is TokenSource.STORE
    assert find_token().secret == f"{SECRET}-of-the-store"
    asked = []
    keyring(monkeypatch, lambda *entry: asked.append(entry) or f"{SECRET}-of-the-ring")
    assert find_token().source is TokenSource.KEYRING
    assert asked == [("snugtune", "huggingface")]
    monkeypatch.setenv("HF_TOKEN", SECRET)
    found = find_token()
    assert (found.source, found.secret) == (TokenSource.ENVIRONMENT, SECRET)


def test_that_a_keyring_without_a_backend_is_passed_over(monkeypatch, tmp_path):
    store(tmp_path)

    def fails(*_):
        raise RuntimeError("No recommended backend was available")

    keyring(monkeypatch, fails)
    assert find_token().source is TokenSource.STORE


def test_that_a_locked_keyring_is_not_waited_for(monkeypatch, tmp_path):
    import threading

    store(tmp_path)
    unlocked = threading.Event()
    keyring(monkeypatch, lambda *_: unlocked.wait() and SECRET)
    monkeypatch.setattr(hub_token, "_PATIENCE_S", 0.01)
    assert find_token().source is TokenSource.STORE
    unlocked.set()
    for thread in threading.enumerate():
        if thread.name == "keyring":
            thread.join()


def test_that_a_token_is_not_shown_when_it_is_printed(monkeypatch):
    monkeypatch.setenv("HF_TOKEN", SECRET)
    assert SECRET not in repr(find_token())
    assert SECRET not in f"{find_token()}"
