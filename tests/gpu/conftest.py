"""Tests on a real card: `python -m pytest tests/gpu`; skipped without one."""

import functools

import pytest


def reason_to_skip() -> str:
    import torch

    if torch.version.cuda is None:
        return f"torch {torch.__version__} is a build without CUDA"
    if not torch.cuda.is_available():
        return "no NVIDIA card answers"
    return ""


@pytest.fixture(autouse=True, scope="session")
def card():
    """The card's name; every test here needs one."""
    reason = reason_to_skip()
    if reason:
        pytest.skip(reason)
    import torch

    return torch.cuda.get_device_name(0)


@pytest.fixture
def run_of(card, tmp_path, monkeypatch):
    """Makes runs of a tiny model on the card, by options; nothing of theirs is random.

    Their attention is computed step by step, since other kernels add up in an order
    that changes from call to call.
    """
    from tests.engine import tiny
    from tests.gpu.runs import make_run

    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    model = tiny.make_model(tmp_path / "tiny", hidden_size=512, num_hidden_layers=8)
    data = tiny.write_chats(tmp_path / "chats.jsonl", tiny.chats(300))
    return functools.partial(make_run, tmp_path / "runs", model, data)
