"""`snugtune estimate` through the real program: each kind of model, each bad input."""

import json
import shutil
from xml.etree import ElementTree as ET

import pytest

from studio.domain.memory.estimate import MemoryPhase
from studio.domain.recipe import Recipe
from studio.storage.recipes import save_recipe

pytestmark = [pytest.mark.e2e]

CONFIG = {
    "model_type": "gpt_neox",
    "architectures": ["GPTNeoXForCausalLM"],
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "vocab_size": 400,
    "max_position_embeddings": 512,
}
KNOWN = CONFIG | {"model_type": "llama", "num_key_value_heads": 2}
SHORT = ("--set", "train.sequence_length=256")


@pytest.fixture
def described(tmp_path):
    """Makes a folder with nothing but a config.json."""

    def make(config):
        folder = tmp_path / "model"
        folder.mkdir(exist_ok=True)
        text = config if isinstance(config, str) else json.dumps(config)
        (folder / "config.json").write_text(text)
        return str(folder)

    return make


def test_that_a_model_without_a_formula_is_explained_by_dry_runs(
    machine, described, tmp_path
):
    asked = ["estimate", "--model", described(CONFIG), "--gpu", "3060", *SHORT]
    picture = tmp_path / "step.svg"
    told = machine.run_json(*asked, "--explain", "--timeline", str(picture))
    assert told["basis"] == "dry-run"
    assert set(told["peak_bytes"]) == {"allocated", "reserved", "device"}
    parts = told["components"]
    assert sum(part["bytes"] for part in parts) == told["peak_bytes"]["device"]
    for word, (low, high) in told["range_bytes"].items():
        assert low < told["peak_bytes"][word] < high
    assert set(told["phase_peaks"]) <= {phase.value for phase in MemoryPhase}
    assert max(told["phase_peaks"].values()) == told["peak_bytes"]["allocated"]
    assert told["device"]["name"] == "RTX 3060"
    keys = {switch["key"] for switch in told["switches"]}
    assert {"train.checkpointing", "model.precision"} <= keys
    assert ET.parse(picture).getroot().tag.endswith("svg")

    # What was rehearsed is kept, and a switch's figure is that recipe's own.
    again = machine.run_json(*asked, "--set", "model.precision=bf16")
    assert again["seconds"] < 1
    (saved,) = [s for s in told["switches"] if s["key"] == "model.precision"]
    difference = told["peak_bytes"]["device"] - again["peak_bytes"]["device"]
    assert saved["saves_bytes"] == difference

    spoken = machine.run(*asked, "--explain")
    assert spoken.returncode == 0
    assert "by dry run" in spoken.stdout
    assert "saves" in spoken.stdout or "costs" in spoken.stdout


def test_that_a_listed_and_a_cached_model_are_priced(machine, described, tmp_path):
    listed = machine.run_json(
        *("estimate", "--model", "SmolLM2-135M-Instruct"),
        *("--gpu", "T4", "--basis", "formula"),
    )
    assert listed["basis"] == "formula"
    folder = tmp_path / "hub" / "models--someone--small" / "snapshots" / "1"
    folder.mkdir(parents=True)
    shutil.copy(described(KNOWN) + "/config.json", folder)
    save_recipe(
        tmp_path / "recipe.toml", Recipe().with_value("model.name", "someone/small")
    )
    told = machine.run_json(
        *("estimate", str(tmp_path / "recipe.toml"), "--gpu", "24 GiB"),
        *("--basis", "formula"),
        HF_HUB_CACHE=str(tmp_path / "hub"),
    )
    assert told["peak_bytes"]["device"] > 0


@pytest.mark.parametrize(
    ("config", "arguments", "code", "words"),
    [
        (KNOWN, ["--gpu", "A100"], 10, "A100 40GB, A100 80GB"),
        (KNOWN, ["--gpu", "RTX 9090"], 10, "Did you mean"),
        (KNOWN, ["--set", "lora.rnk=3"], 10, "lora.rank"),
        (KNOWN, ["--set", "lora.rank=0"], 10, "from 1 to 1,024"),
        (KNOWN, ["--set", "model.precision=fp16"], 10, "can't hold together"),
        (KNOWN, ["--basis", "guess"], 2, "'guess' is not one of"),
        (KNOWN, ["--basis", "formula", "--timeline", "x.svg"], 10, "--basis dry-run"),
        (
            CONFIG | {"model_type": "bloom"},
            ["--basis", "formula"],
            10,
            "--basis dry-run",
        ),
        ("{", [], 10, "config.json can't be read"),
        ("[1]", [], 10, "config.json can't be read"),
        ({"hidden_size": 3}, ["--gpu", "24"], 10, "Choose another model"),
        (CONFIG | {"num_attention_heads": 0}, ["--gpu", "24"], 10, "Choose another"),
    ],
)
def test_that_what_cannot_be_priced_is_a_sentence(
    machine, described, config, arguments, code, words
):
    done = machine.run("estimate", "--model", described(config), *arguments)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    said = " ".join(done.stderr.split())
    assert words in said
    assert "/tmp" not in said.replace(described(config), "")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "No model is named"),
        (["--model", "nosuch"], "a folder, or a hub id"),
        (["--model", "nobody/nothing"], "hf download nobody/nothing config.json"),
        (["gone.toml"], "Check the path"),
    ],
)
def test_that_a_model_that_is_not_here_is_a_sentence(machine, arguments, words):
    done = machine.run("estimate", *arguments)
    assert done.returncode == 10, done.stderr
    assert "Traceback" not in done.stderr
    assert words in " ".join(done.stderr.split())


def test_that_a_model_which_caps_its_scores_is_priced_by_eager_attention(
    machine, described
):
    capped = KNOWN | {
        "model_type": "gemma2",
        "architectures": ["Gemma2ForCausalLM"],
        "head_dim": 128,
    }
    model = described(capped)
    asked = ["estimate", "--model", model, "--gpu", "3060", *SHORT]
    told = machine.run_json(*asked)
    eager = machine.run_json(*asked, "--set", "model.attention=eager")
    assert told["peak_bytes"] == eager["peak_bytes"]
    for basis in ([], ["--measure", "--random-weights"]):
        named = [] if basis else ["--gpu", "3060"]
        refused = machine.run(
            *("estimate", "--model", model, *named, *SHORT, *basis),
            *("--set", "model.attention=sdpa"),
        )
        assert refused.returncode == 10
        assert "model.attention to" in " ".join(refused.stderr.split())
