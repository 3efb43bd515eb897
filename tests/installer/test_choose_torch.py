"""The choice of torch for machines that nobody here owns, one file of facts each."""

import dataclasses
import json
from pathlib import Path

import pytest
from choose import choose, tags
from console import SetUpError
from facts import facts_from_json, facts_to_json
from matrix import load_matrix
from plan import Plan, Refusal, plan_from_json, plan_to_json, still_suits
from qt_libraries import QT_LIBRARIES

FACTS = Path(__file__).with_name("facts")
MATRIX = load_matrix()

# File, build, and words that the reason or the refusal must hold.
CASES = [
    ("rtx-5090-driver-580", "cu130", ["RTX 5090", "12.0", "580.95.05"]),
    ("rtx-5090-driver-575", "cu128", ["needs driver 580", "575.64.03", "not made for"]),
    ("rtx-5090-driver-550", "refused", ["550.163.01", "needs 570", "best to 580"]),
    ("rtx-4090-driver-580", "cu130", ["8.9"]),
    ("rtx-4090-driver-575", "cu126", ["needs driver 580", "575.64.03"]),
    ("rtx-4090-driver-550", "cu126", ["needs driver 580", "550.163.01"]),
    ("rtx-3060", "cu130", ["RTX 3060"]),
    ("rtx-2060", "cu130", ["7.5"]),
    ("laptop-rtx-4060", "cu130", ["Laptop GPU"]),
    ("gtx-1080", "cu126", ["CUDA 13.0 build is not made for", "6.1"]),
    ("gtx-970", "cu126", ["5.2", "4-bit weights need compute capability 6.0"]),
    ("tesla-t4", "cu126", ["needs driver 580", "535.261.03"]),
    ("tesla-v100", "cu126", ["not made for Tesla V100", "7.0"]),
    ("a100-mig", "cu130", ["A100", "MIG", "slice"]),
    ("h100", "cu126", ["9.0", "570.158.01"]),
    ("b200", "cu130", ["10.0"]),
    ("driver-470", "refused", ["470.256.02", "525.60", "580"]),
    ("kepler-k80", "cpu", ["no CUDA build", "3.7"]),
    ("wsl-two-cards", "cu126", ["RTX 3090", "560.94"]),
    ("wsl-old-driver", "refused", ["527.41", "528.33", "in Windows"]),
    ("mixed-5090-1080", "cu130", ["RTX 5090", "not used", "GTX 1080"]),
    ("mixed-5090-1080-driver-550", "refused", ["RTX 5090", "needs 570"]),
    ("mixed-4090-3090", "cu130", ["RTX 4090", "RTX 3090"]),
    ("mixed-v100-t4", "cu126", ["V100", "T4"]),
    ("gb10-dgx-spark", "cu130", ["GB10", "12.1", "shared with the system"]),
    ("jetson-orin", "cpu", ["Jetson", "bitsandbytes"]),
    ("grace-hopper", "cu130", ["GH200"]),
    ("aarch64-t4g", "cpu", ["no CUDA build for Linux aarch64", "T4G"]),
    ("aarch64-server", "cpu", ["no NVIDIA card"]),
    ("no-gpu-linux", "cpu", ["no NVIDIA card was found"]),
    ("intel-laptop", "cpu", ["Intel graphics", "can't be trained on yet"]),
    ("intel-arc", "cpu", ["Intel graphics"]),
    ("amd-rx-7900-linux", "cpu", ["AMD graphics", "no ROCm build"]),
    ("amd-windows", "cpu", ["Radeon RX 6800 XT", "no ROCm build"]),
    ("macos-arm64", "pypi", ["Metal", "macOS 14"]),
    ("macos-x86-64", "refused", ["Intel processor", "Apple silicon"]),
    ("windows-rtx-4070", "cu130", ["RTX 4070"]),
    ("windows-rtx-3080-driver-537", "cu126", ["needs driver 580", "537.58"]),
    ("windows-old-driver", "refused", ["516.94", "528.33"]),
    ("windows-arm64", "cpu", ["Adreno"]),
    ("driver-mismatch", "refused", ["updated", "Reboot", "--torch cpu"]),
    ("no-permission", "refused", ["refuses", "/dev/nvidia"]),
    ("driver-hangs", "refused", ["doesn't answer", "Reboot"]),
    ("driver-unreadable", "refused", ["not understood", "nvidia-smi"]),
    ("driver-340-unreadable", "refused", ["340.108", "525.60"]),
    ("nouveau", "cpu", ["no NVIDIA driver is installed", "Install NVIDIA's driver"]),
    ("container-without-cards", "cpu", ["libnvidia-ml", "--gpus all"]),
    ("module-not-loaded", "cpu", ["not loaded"]),
    ("driver-without-card", "cpu", ["reports no card"]),
    ("capability-unknown", "refused", ["470.57.02", "525.60"]),
    ("alpine-musl", "refused", ["musl", "glibc"]),
    ("centos-7", "refused", ["2.17", "2.28"]),
    ("riscv64", "refused", ["riscv64"]),
    ("python-3-10", "refused", ["3.10.12", "3.11"]),
    ("python-3-13-8", "refused", ["3.13.8", "fault"]),
    ("python-3-14", "cpu", ["no NVIDIA card"]),
    ("python-3-15", "refused", ["3.15.0", "too new"]),
    ("debian-without-venv", "refused", ["ensurepip", "python3.11-venv"]),
    ("debian-without-venv-as-root", "cpu", ["no NVIDIA card"]),
    ("disk-nearly-full", "refused", ["2.0 GiB", "6 GiB", "--prefix"]),
    ("disk-short-for-cuda", "refused", ["8.0 GiB", "12 GiB"]),
    ("qt-libraries-missing", "cpu", ["no NVIDIA card"]),
]


def read(name):
    return facts_from_json(json.loads((FACTS / f"{name}.json").read_text()))


def words(chosen):
    if isinstance(chosen, Refusal):
        return f"{chosen.what} {chosen.remedy}"
    return " ".join([chosen.reason, *chosen.notes])


@pytest.mark.parametrize(("name", "build", "needles"), CASES)
def test_that_a_machine_gets_its_build_and_the_reason(name, build, needles):
    chosen = choose(read(name), MATRIX)
    assert ("refused" if isinstance(chosen, Refusal) else chosen.tag) == build
    for needle in needles:
        assert needle in words(chosen)


def test_that_every_file_of_facts_has_its_case():
    assert {path.stem for path in FACTS.glob("*.json")} == {name for name, *_ in CASES}
    assert len(CASES) >= 30


@pytest.mark.parametrize("name", [name for name, *_ in CASES])
def test_that_facts_survive_a_round_trip_as_json(name):
    facts = read(name)
    assert facts_from_json(json.loads(json.dumps(facts_to_json(facts)))) == facts


@pytest.mark.parametrize("name", [name for name, *_ in CASES])
def test_that_plans_survive_a_round_trip_as_json(name):
    chosen = choose(read(name), MATRIX)
    if isinstance(chosen, Plan):
        assert plan_from_json(json.loads(json.dumps(plan_to_json(chosen)))) == chosen
    else:
        assert words(chosen).endswith((".", "venv", "FOLDER.", "cpu."))


def test_that_the_version_pinned_names_its_build():
    assert choose(read("rtx-5090-driver-575"), MATRIX).torch == "2.11.0+cu128"
    assert choose(read("rtx-4090-driver-580"), MATRIX).torch == "2.13.0+cu130"
    assert choose(read("no-gpu-linux"), MATRIX).torch == "2.13.0+cpu"
    assert choose(read("macos-arm64"), MATRIX).torch == "2.13.0"


def test_that_cards_left_out_are_not_proven():
    assert choose(read("mixed-5090-1080"), MATRIX).capabilities == ("12.0",)
    assert choose(read("mixed-4090-3090"), MATRIX).capabilities == ("8.9", "8.6")


def test_that_four_bits_are_proven_on_the_processor_where_the_card_cannot():
    plan = choose(read("gtx-970"), MATRIX)
    assert (plan.device, plan.nf4_device) == ("cuda", "cpu")


@pytest.mark.parametrize("wanted", ["cpu", "cu126", "cu128", "cu130", "pypi", "none"])
def test_that_a_build_asked_for_is_taken(wanted):
    plan = choose(read("rtx-4090-driver-550"), MATRIX, wanted)
    assert plan.tag == wanted
    assert plan.by_user
    assert f"--torch {wanted}" in plan.reason


def test_that_a_cuda_build_asked_for_without_a_card_is_proven_on_the_processor():
    plan = choose(read("no-gpu-linux"), MATRIX, "cu130")
    assert (plan.tag, plan.device) == ("cu130", "cpu")


def test_that_asking_for_the_processor_gets_past_a_broken_driver():
    assert choose(read("driver-mismatch"), MATRIX, "cpu").tag == "cpu"


def test_that_an_unknown_build_is_refused_with_the_known_ones():
    refusal = choose(read("no-gpu-linux"), MATRIX, "cu999")
    assert "cu999" in refusal.what
    for tag in tags(MATRIX):
        assert tag in refusal.remedy


def test_that_no_cuda_build_is_given_to_macos():
    assert isinstance(choose(read("macos-arm64"), MATRIX, "cu130"), Refusal)


def test_that_a_users_index_replaces_pytorchs():
    plan = choose(read("no-gpu-linux"), MATRIX, index="file:///srv/wheels")
    assert plan.index == "file:///srv/wheels"


@pytest.mark.parametrize(
    ("capability", "platform", "builds"),
    [
        ((5, 2), "Linux x86_64", ["cu126"]),
        ((7, 0), "Windows x86_64", ["cu126"]),
        ((7, 5), "Linux x86_64", ["cu130", "cu126", "cu128"]),
        ((8, 9), "Linux x86_64", ["cu130", "cu126", "cu128"]),
        ((10, 3), "Linux x86_64", ["cu130", "cu128"]),
        ((11, 0), "Linux aarch64", ["cu130"]),
        ((12, 1), "Linux aarch64", ["cu130", "cu128"]),
        ((13, 0), "Linux x86_64", ["cu130"]),
        ((13, 0), "Windows x86_64", []),
        ((8, 0), "Darwin aarch64", []),
    ],
)
def test_that_a_capability_is_served_by_its_own_major_version(
    capability, platform, builds
):
    serving = [build.tag for build in MATRIX.cuda if build.serves(capability, platform)]
    assert serving == builds


def test_that_every_plan_of_an_environment_suits_itself():
    plan = choose(read("gtx-1080"), MATRIX)
    assert still_suits(plan, plan)


def test_that_a_build_for_another_card_does_not_suit():
    old = choose(read("gtx-1080"), MATRIX)
    new = choose(read("rtx-5090-driver-580"), MATRIX)
    assert not still_suits(old, new)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"colour": "red"}, "Unknown field in the facts: colour."),
        ({"python": 3}, 'The field "python" of the facts is not a text.'),
        ({"is_wsl": "yes"}, 'The field "is_wsl" of the facts is not true or false.'),
        ({"free_disk_bytes": 1.5}, '"free_disk_bytes" of the facts is not a whole'),
        ({"display": "lcd"}, '"display" of the facts is not one of none, x11'),
        ({"nvidia": 7}, "nvidia is no JSON object."),
        ({"nvidia": {"gpus": [{"name": "X", "capability": [9]}]}}, "two whole numbers"),
        ({"other_gpus": [1]}, "a list of texts"),
    ],
)
def test_that_wrong_facts_are_refused_with_a_sentence(change, sentence):
    document = facts_to_json(read("no-gpu-linux")) | change
    with pytest.raises(SetUpError) as error:
        facts_from_json(document)
    assert sentence in str(error.value)


def test_that_the_choice_depends_on_facts_alone(monkeypatch):
    monkeypatch.setattr("platform.system", lambda: "Plan9")
    facts = read("h100")
    assert choose(facts, MATRIX) == choose(dataclasses.replace(facts), MATRIX)


def test_that_the_libraries_named_in_the_facts_are_known():
    known = {library.file for library in QT_LIBRARIES}
    assert set(read("qt-libraries-missing").missing_qt_libraries) <= known
