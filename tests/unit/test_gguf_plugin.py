"""What of an export to GGUF needs no torch: finding, checking, fetching, telling."""

import hashlib
import json
import os
import sys
import zipfile
from dataclasses import replace

import jinja2
import psutil
import pytest
from tokenizers import Tokenizer, models, pre_tokenizers

from studio.domain.errors import StudioError
from studio.domain.finding import Severity
from studio.services.export_remarks import export_remarks
from studio.storage.models import ModelPlace, ModelState
from studio.storage.plugin_code import code_of
from studio.storage.plugins import exporter_plugin
from studio.system.llama_cpp import find_llama_cpp
from studio.system.resources import plugin_root

PLUGIN = exporter_plugin(plugin_root(), "gguf")


def part(name):
    """A module of the plug-in."""
    return code_of("GGUF", PLUGIN.module.with_name(f"{name}.py"), (), "")


CHATML = (
    "{% for m in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{{ '<|im_start|>' + m['role'] + '\n' + m['content'] + '<|im_end|>' + '\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}"
    "{% endif %}"
)
FOLDED = (
    "{{ '<bos>' }}{% if messages[0]['role'] == 'system' %}"
    "{% set first = messages[0]['content'] + '\n\n' %}{% set rest = messages[1:] %}"
    "{% else %}{% set first = '' %}{% set rest = messages %}{% endif %}"
    "{% for m in rest %}{{ '<turn>' + {'assistant': 'model', 'user': 'user'}[m['role']]"
    " + '\n' + (first if loop.first else '') + m['content'] + '<end>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<turn>model\n' }}{% endif %}"
)
NO_SYSTEM = (
    "{{ '<s>' }}{% for m in messages %}{% if m['role'] == 'system' %}"
    "{{ raise_exception('no system') }}{% elif m['role'] == 'user' %}"
    "{{ '[INST] ' + m['content'] + ' [/INST]' }}{% else %}"
    "{{ m['content'] + '</s>' }}{% endif %}{% endfor %}"
)
COUNTING = (
    "{% for m in messages %}{{ loop.index }}. {{ m['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}> {% endif %}"
)


def renderer(template):
    def refuse(message):
        raise ValueError(message)

    compiled = jinja2.Environment(autoescape=False).from_string(template)

    def render(turns, *, asks):
        chat = [{"role": role, "content": said} for role, said in turns]
        return compiled.render(
            messages=chat, add_generation_prompt=asks, raise_exception=refuse
        )

    return render


CHAT = [("user", "Hello?"), ("assistant", "Hi."), ("user", "Which\ncheese?")]


@pytest.mark.parametrize("template", [CHATML, FOLDED, NO_SYSTEM])
def test_that_a_template_s_pieces_put_chats_together_as_it_does(template):
    render = renderer(template)
    pieces = part("templates").pieces_of(render)
    assert pieces is not None
    for turns in (CHAT[:1], CHAT):
        assert pieces.rendered(turns, asks=True) == render(turns, asks=True)
    assert (pieces.system is None) == (template == NO_SYSTEM)
    if pieces.system is not None:
        turns = [("system", "Be short."), *CHAT]
        assert pieces.rendered(turns, asks=True) == render(turns, asks=True)
    assert pieces.folds == (template == FOLDED)


def test_that_a_template_that_counts_turns_has_no_pieces():
    assert part("templates").pieces_of(renderer(COUNTING)) is None


def test_that_what_begins_a_chat_is_left_to_the_runner():
    pieces = part("templates").pieces_of(renderer(FOLDED))
    assert pieces.begin == "<bos>"
    bare = pieces.without("<bos>")
    text = bare.rendered(CHAT, asks=True)
    assert "<bos>" + text == renderer(FOLDED)(CHAT, asks=True)
    assert "<bos>" not in part("templates").in_go(bare)


def test_that_a_word_before_each_turn_of_the_user_can_t_be_left_out():
    each = renderer(
        "{% for m in messages %}{% if m['role'] == 'user' %}{{ '<s>[INST] ' + "
        "m['content'] + ' [/INST]' }}{% else %}{{ m['content'] + '</s>' }}{% endif %}"
        "{% endfor %}"
    )
    assert part("templates").pieces_of(each).without("<s>") is None


def test_that_ollama_s_template_says_each_turn_and_asks_for_the_last():
    told = part("templates").in_go(part("templates").pieces_of(renderer(CHATML)))
    assert told.splitlines() == [
        (
            '{{- if ne (index .Messages 0).Role "system" }}'
            '{{ "<|im_start|>system\\nBe kind.<|im_end|>\\n" }}{{ end }}'
        ),
        "{{- range $at, $turn := .Messages }}",
        "{{- $last := eq (len (slice $.Messages $at)) 1 }}",
        '{{- if eq .Role "user" }}',
        '{{- "" }}{{ "<|im_start|>user\\n" }}{{ .Content }}{{ "<|im_end|>\\n" }}',
        '{{- else if eq .Role "system" }}',
        '{{- "" }}{{ "<|im_start|>system\\n" }}{{ .Content }}{{ "<|im_end|>\\n" }}',
        '{{- else if eq .Role "assistant" }}',
        (
            '{{- "" }}{{ "<|im_start|>assistant\\n" }}{{ .Content }}'
            '{{ if not $last }}{{ "<|im_end|>\\n" }}{{ end }}'
        ),
        "{{- end }}",
        (
            '{{- if and $last (ne .Role "assistant") }}'
            '{{ "<|im_start|>assistant\\n" }}{{ end }}'
        ),
        "{{- end }}",
    ]


def test_that_a_first_turn_behind_a_folded_system_has_nothing_before_it():
    told = part("templates").in_go(part("templates").pieces_of(renderer(FOLDED)))
    bare = '(and (eq $at 1) (eq (index $.Messages 0).Role "system"))'
    assert f'{{{{ if not {bare} }}}}{{{{ "<turn>user\\n" }}}}{{{{ end }}}}' in told


CONFIG = {
    "architectures": ["LlamaForCausalLM"],
    "tie_word_embeddings": True,
    "max_position_embeddings": 512,
}


def model_folder(folder, **changes):
    files = {
        "config.json": CONFIG,
        "tokenizer_config.json": {"eos_token": "<|im_end|>", "bos_token": "<s>"},
        "generation_config.json": {
            "eos_token_id": [2, 7],
            "temperature": 0.6,
            "top_k": 40,
            "repetition_penalty": 1.1,
        },
        "tokenizer.json": {
            "model": {"type": "BPE"},
            "added_tokens": [
                {"id": 2, "content": "<|im_end|>"},
                {"id": 7, "content": "<|endoftext|>"},
            ],
        },
        **changes,
    }
    folder.mkdir(exist_ok=True)
    for name, told in files.items():
        (folder / name).write_text(json.dumps(told))
    (folder / "chat_template.jinja").write_text(CHATML)
    return folder


@pytest.fixture
def _nothing_found(monkeypatch, tmp_path):
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SNUGTUNE_LLAMA_CPP", raising=False)


def codes(folder, form="q8_0"):
    return [each.code for each in part("check").check(folder, form)]


@pytest.mark.usefixtures("_nothing_found")
def test_that_a_known_model_is_not_spoken_against(tmp_path):
    assert codes(model_folder(tmp_path / "model")) == []


@pytest.mark.usefixtures("_nothing_found")
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"config.json": {"architectures": ["NewForCausalLM"]}}, "gguf.architecture"),
        (
            {"config.json": {**CONFIG, "auto_map": {"AutoConfig": "a.B"}}},
            "gguf.foreign-code",
        ),
        (
            {
                "tokenizer.json": {
                    "model": {"type": "BPE", "byte_fallback": True},
                    "added_tokens": [],
                }
            },
            "gguf.no-pieces",
        ),
    ],
)
def test_that_what_the_converter_can_t_take_is_told_beforehand(tmp_path, change, code):
    assert code in codes(model_folder(tmp_path / "model", **change))


@pytest.mark.usefixtures("_nothing_found")
def test_that_k_quants_need_llama_quantize(tmp_path, monkeypatch):
    folder = model_folder(tmp_path / "model")
    assert codes(folder, "q4_k_m") == ["gguf.no-quantizer"]
    tool = tmp_path / "llama.cpp" / "build" / "bin" / "llama-quantize"
    tool.parent.mkdir(parents=True)
    tool.write_text("#!/bin/sh\n")
    tool.chmod(0o755)
    monkeypatch.setenv("SNUGTUNE_LLAMA_CPP", str(tmp_path / "llama.cpp"))
    assert codes(folder, "q4_k_m") == []


@pytest.mark.usefixtures("_nothing_found")
def test_that_a_llama_cpp_is_found_by_preference_and_on_the_path(tmp_path, monkeypatch):
    found = find_llama_cpp
    assert found().script is None
    script = tmp_path / "checkout" / "convert_hf_to_gguf.py"
    script.parent.mkdir()
    script.touch()
    preferences = tmp_path / "home" / "config" / "preferences.toml"
    preferences.parent.mkdir(parents=True)
    preferences.write_text(f'llama_cpp = "{script.parent}"\n')
    assert found().script == script
    preferences.unlink()
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), str(script.parent)]))
    assert found().script == script


def test_that_every_form_of_the_manifest_is_known():
    assert set(PLUGIN.forms) == set(part("forms").FORMS)
    with pytest.raises(StudioError, match="q2_k"):
        part("forms").form_named("q2_k")


def test_that_a_modelfile_holds_ends_and_sampling(tmp_path):
    source = part("source").source_of(model_folder(tmp_path / "model"))
    pieces = part("templates").pieces_of(renderer(CHATML))
    told = part("modelfile").modelfile("a-q8_0.gguf", source, pieces)
    assert told.startswith('FROM ./a-q8_0.gguf\n\nTEMPLATE """{{- if ne')
    assert told.endswith(
        'PARAMETER stop "<|im_end|>"\nPARAMETER stop "<|endoftext|>"\n'
        "PARAMETER temperature 0.6\nPARAMETER top_k 40\nPARAMETER repeat_penalty 1.1\n"
    )
    untold = part("modelfile").modelfile("a-q8_0.gguf", source, None)
    assert "TEMPLATE" not in untold
    assert "can't be said" in untold


def test_that_the_guide_names_the_files_that_are_there(tmp_path):
    folder = model_folder(tmp_path / "model")
    (folder / "README.md").write_text(
        "---\nbase_model: maker/base\nlibrary_name: transformers\n---\n# Card\n"
    )
    source = part("source").source_of(folder)
    told = part("guide").guide("a-f16.gguf", "f16", "it", source, has_template=True)
    assert told.startswith("---\nbase_model: maker/base\nlibrary_name: gguf\n---\n")
    for line in (
        "ollama create a-f16 -f Modelfile",
        "llama-cli -m a-f16.gguf --jinja -cnv",
        "llama-server -m a-f16.gguf --jinja --port 8080",
        "lms import a-f16.gguf",
        "vllm serve ./a-f16.gguf --tokenizer maker/base --served-model-name a-f16",
    ):
        assert line in told.splitlines()


class Heard:
    def __init__(self, most=None):
        self.told, self.most = [], most

    def __call__(self, stage, done, total, unit):
        self.told.append((stage, done, total, unit))
        if self.most is not None and len(self.told) > self.most:
            raise KeyboardInterrupt


@pytest.fixture
def registry(monkeypatch, tmp_path):
    """Packages in a folder, in place of a registry."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    wheel = folder / "one_converter-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as file:
        file.writestr("one_converter.py", "ANSWER = 42\n")
        info = "one_converter-1.0.dist-info"
        file.writestr(
            f"{info}/METADATA",
            "Metadata-Version: 2.1\nName: one-converter\nVersion: 1.0\n"
            "Requires-Dist: nothing-of-this-name\n",
        )
        file.writestr(
            f"{info}/WHEEL",
            "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\n"
            "Tag: py3-none-any\n",
        )
        file.writestr(f"{info}/RECORD", "")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("SNUGTUNE_HOME", str(tmp_path / "home"))
    asked = tmp_path / "requirements.txt"
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    asked.write_text(f"one-converter==1.0 --hash=sha256:{digest}\n")
    monkeypatch.setattr(part("installing"), "REQUIREMENTS", asked)
    return folder, asked


def test_that_the_converter_is_installed_once_and_apart(registry, monkeypatch):
    installing = part("installing")
    folder = installing.installed(Heard())
    assert (folder / "one_converter.py").is_file()
    monkeypatch.setenv("PIP_FIND_LINKS", "")  # gone, and not needed any more
    assert installing.installed(Heard()) == folder
    assert [each.name for each in folder.parent.iterdir()] == [folder.name]
    with pytest.raises(ModuleNotFoundError):
        __import__("one_converter")


def test_that_a_package_of_another_digest_is_not_installed(registry):
    _, asked = registry
    asked.write_text(f"one-converter==1.0 --hash=sha256:{'0' * 64}\n")
    with pytest.raises(StudioError) as refused:
        part("installing").installed(Heard())
    assert refused.value.finding.code == "gguf.other-converter"
    assert not part("installing").is_installed()


def test_that_a_missing_registry_is_told_with_what_helps(registry):
    folder, _ = registry
    next(folder.iterdir()).unlink()
    with pytest.raises(StudioError) as refused:
        part("installing").installed(Heard())
    assert refused.value.finding.code == "gguf.offline"
    assert "SNUGTUNE_LLAMA_CPP" in refused.value.finding.how_to_fix
    assert list(part("installing").package_folder().parent.iterdir()) == []


def test_that_a_wish_to_end_ends_the_child(tmp_path):
    children = part("children")
    told = tmp_path / "pid"
    script = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid()))"

    def hear(_line):
        if told.is_file() and told.read_text():
            raise KeyboardInterrupt

    command = children.python("-c", f"{script}; time.sleep(60)")
    with pytest.raises(KeyboardInterrupt):
        children.run(command, tmp_path, children.environment(), hear)
    assert not psutil.pid_exists(int(told.read_text()))


def test_that_a_child_doesn_t_see_where_this_program_imports_from(
    tmp_path, monkeypatch
):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    children = part("children")
    lines = []
    command = children.python("-c", "import sys; print('\\n'.join(sys.path))")
    ended = children.run(command, tmp_path, children.environment(), lines.append)
    assert ended.code == 0
    assert str(tmp_path) not in ended.lines
    assert [line for line in lines if line] == list(ended.lines)


def test_that_progress_is_read_from_what_the_converter_writes():
    told = Heard()
    progress = part("converting")._Progress(told)
    for line in (
        "INFO:hf-to-gguf:blk.0.attn_q.weight, torch.float32 --> F16, shape = {64, 64}",
        "INFO:hf-to-gguf:blk.1.attn_q.weight, torch.float32 --> F16, shape = {64, 64}",
        "Writing:  42%|####      | 1.00G/2.40G [00:01<00:02, 1.00Gbyte/s]",
        "",
    ):
        progress.hear(line)
    assert [each[:3] for each in told.told] == [
        ("Converting the weights", 1, 1),
        ("Converting the weights", 2, 2),
        ("Writing the GGUF file", 42, 100),
        ("Writing the GGUF file", 42, 100),
    ]


def test_that_bars_drawn_over_themselves_are_lines(tmp_path):
    children = part("children")
    lines = []
    script = r"import sys; sys.stderr.write('a\rb\rc\nd')"
    command = children.python("-c", script)
    children.run(command, tmp_path, children.environment(), lines.append)
    assert [line for line in lines if line] == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ("NotImplementedError: BPE pre-tokenizer was not recognized", "gguf.tokenizer"),
        ("ERROR:hf-to-gguf:Model NewOne is not supported", "gguf.architecture"),
        ("ValueError: anything", "gguf.converter"),
    ],
)
def test_that_the_converter_s_end_is_put_into_words(tmp_path, said, code):
    converting = part("converting")
    by = converting.Converter(
        "it", ("-c", f"import sys; print({said!r}); sys.exit(1)"), None
    )
    form = part("forms").form_named("f16")
    with pytest.raises(StudioError) as refused:
        converting.convert(by, tmp_path, tmp_path / "a.gguf", form, Heard())
    assert refused.value.finding.code == code
    assert list(tmp_path.iterdir()) == []


QUANTIZER = """#!{python}
import shutil, sys
print("[   1/   2]   blk.0.attn_q.weight - [64, 64], type = f16, converting to q4_K")
print("[   2/   2]   blk.0.attn_k.weight - [64, 64], type = f16, converting to q4_K")
sys.exit(7) if "bad" in sys.argv[1] else shutil.copy(*sys.argv[1:3])
"""


def test_that_llama_quantize_makes_the_coarser_forms(tmp_path):
    tool = tmp_path / "llama-quantize"
    tool.write_text(QUANTIZER.format(python=sys.executable))
    tool.chmod(0o755)
    (tmp_path / "f16.gguf").write_text("weights")
    quantize, told = part("converting").quantize, Heard()
    form, file = part("forms").form_named("q4_k_m"), tmp_path / "q4.gguf"
    quantize(tool, tmp_path / "f16.gguf", file, form, told)
    assert file.read_text() == "weights"
    assert ("Quantising the weights", 2, 2, "tensors") in told.told
    with pytest.raises(StudioError) as refused:
        quantize(tool, tmp_path / "bad.gguf", tmp_path / "no.gguf", form, told)
    assert refused.value.finding.code == "gguf.quantize"
    assert not (tmp_path / "no.gguf").exists()


CONVERTER = """
def words(tokenizer):
    chktxt = "one two 333"
    chkhsh = tokenizer
    if chkhsh == "{digest}":
        return "one"
"""


@pytest.mark.usefixtures("_nothing_found")
def test_that_a_tokenizer_is_known_by_the_converter_s_own_source(tmp_path, monkeypatch):
    words = part("words")
    folder = model_folder(tmp_path / "model")
    tokenizer = Tokenizer(models.WordLevel({"one": 0, "two": 1, "?": 2}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    assert words.are_known(folder) is None, "there is no converter yet"
    script = tmp_path / "checkout" / "convert_hf_to_gguf.py"
    script.parent.mkdir()
    script.write_text(CONVERTER.format(digest="0" * 64))
    monkeypatch.setenv("SNUGTUNE_LLAMA_CPP", str(script.parent))
    assert words.are_known(folder) is False
    base = script.parent / "conversion" / "base.py"
    base.parent.mkdir()
    digest = hashlib.sha256(str([0, 1, 2]).encode()).hexdigest()
    base.write_text(CONVERTER.format(digest=digest))
    assert words.are_known(folder) is True


@pytest.mark.usefixtures("_nothing_found")
def test_that_what_can_t_be_exported_is_a_remark_and_no_error(tmp_path):
    new = {"config.json": {"architectures": ["NewForCausalLM"]}}
    folder = model_folder(tmp_path / "model", **new)
    place = ModelPlace(name="new", title="New", state=ModelState.READY, folder=folder)
    (remark,) = export_remarks(place)
    assert remark.code == "gguf.architecture"
    assert remark.severity is Severity.INFO
    assert "NewForCausalLM" in remark.what
    assert export_remarks(replace(place, state=ModelState.MISSING)) == ()


def test_that_a_folder_is_read_once_until_a_file_of_it_changes(tmp_path):
    source_of = part("source").source_of
    folder = model_folder(tmp_path / "model")
    assert source_of(folder) is source_of(folder)
    (folder / "chat_template.jinja").write_text(COUNTING)
    assert source_of(folder).template == COUNTING
