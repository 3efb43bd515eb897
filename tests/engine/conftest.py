"""Tiny models, made once a session, and warnings that are others' to mend."""

import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from studio.engine import outage_watch
from studio.engine.progress import StepReporter
from tests.engine import tiny

# The real engine writes such warnings to its log; here they would end the test.
FOREIGN_WARNINGS = [
    # transformers 5.23 reads its own deprecated name when trl 1.16 makes a trainer.
    r"ignore:`is_gradient_checkpointing` is deprecated:FutureWarning",
    # trl 1.16 runs the model before training by them.
    r"ignore:`gradient_checkpointing_(en|dis)able` is deprecated:FutureWarning",
]


def pytest_collection_modifyitems(items):
    for item in items:
        if "tests/engine/" in item.path.as_posix():
            item.add_marker(pytest.mark.torch)
            for warning in FOREIGN_WARNINGS:
                item.add_marker(pytest.mark.filterwarnings(warning))


@pytest.fixture(autouse=True, scope="session")
def _one_thread():
    """Threads cost tiny models more than they bring, most of all beside other work."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True, scope="session")
def _home(tmp_path_factory):
    """Runs add to a table of measurements, which must not be this machine's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SNUGTUNE_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(autouse=True, scope="session")
def _on_mains():
    """What threatens the machine of the tests is no matter of theirs."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(outage_watch, "threats_now", dict)
        yield


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("models") / "tiny-llama")


@pytest.fixture(scope="session")
def tiny_qwen(tmp_path_factory):
    return tiny.make_model(tmp_path_factory.mktemp("models") / "tiny-qwen", "qwen")


@pytest.fixture(scope="session")
def broken_model(tmp_path_factory, tiny_model):
    """A model of which one number is none, so that nothing it says is."""
    folder = tmp_path_factory.mktemp("models") / "broken"
    shutil.copytree(tiny_model, folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][0] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return folder


@pytest.fixture
def chat_file(tmp_path):
    return tiny.write_chats(tmp_path / "chats.jsonl")


class PowerCutError(Exception):
    """Ends a run as if the machine had gone."""


@pytest.fixture
def cut_at(monkeypatch):
    """Let the next run end behind a step, before anything else is done there."""

    def arrange(step):
        report = StepReporter._report

        def cut(self, state, logs):
            report(self, state, logs)
            if state.global_step == step:
                monkeypatch.setattr(StepReporter, "_report", report)
                raise PowerCutError

        monkeypatch.setattr(StepReporter, "_report", cut)

    return arrange
