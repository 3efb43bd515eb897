"""Chat templates that differ in kind, as makers of models publish them, and chats."""

from dataclasses import dataclass

from studio.domain.dataset import Chat, Turn
from tests.engine import tiny


@dataclass(frozen=True)
class Family:
    """A template with what its tokenizer must know."""

    template: str
    special: tuple[str, ...]
    takes_system: bool = True
    takes_tools: bool = False

    def tokenizer(self):
        begin, end, *others = self.special
        tokenizer = tiny.make_tokenizer(self.template, ("<pad>", begin, end))
        tokenizer.add_special_tokens({"additional_special_tokens": others})
        return tokenizer


CHATML = Family(
    "{%- if tools %}{{ '<|im_start|>system\n# Tools\n' }}"
    "{%- for tool in tools %}{{ tool | tojson + '\n' }}{%- endfor %}"
    "{{ '<|im_end|>\n' }}{%- endif %}"
    "{%- for message in messages %}"
    "{{ '<|im_start|>' + message.role + '\n' }}"
    "{%- if message.content %}{{ message.content }}{%- endif %}"
    "{%- for call in message.tool_calls or [] %}"
    "{{ '\n<tool_call>\n' + call.function | tojson + '\n</tool_call>' }}"
    "{%- endfor %}{{ '<|im_end|>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}",
    ("<|im_start|>", "<|im_end|>"),
    takes_tools=True,
)
LLAMA_3 = Family(
    "{{ bos_token }}{%- for message in messages %}"
    "{%- if message.tool_calls %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}"
    "{%- set call = message.tool_calls[0].function %}"
    "{{ '{\"name\": \"' + call.name + '\", ' }}"
    "{{ '\"parameters\": ' + call.arguments | tojson + '}' + '<|eot_id|>' }}"
    "{%- else %}"
    "{{ '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n' "
    "+ message['content'] | trim + '<|eot_id|>' }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}"
    "{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{%- endif %}",
    ("<|begin_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"),
    takes_tools=True,
)
LLAMA_2 = Family(
    "{%- if messages[0]['role'] == 'system' %}"
    "{%- set system = '<<SYS>>\n' + messages[0]['content'] + '\n<</SYS>>\n\n' %}"
    "{%- set messages = messages[1:] %}{%- else %}{%- set system = '' %}{%- endif %}"
    "{%- for message in messages %}"
    "{%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('Roles must alternate user/assistant') }}{%- endif %}"
    "{%- if message['role'] == 'user' %}"
    "{{ bos_token + '[INST] ' + (system if loop.first else '') "
    "+ message['content'] | trim + ' [/INST]' }}"
    "{%- else %}{{ ' ' + message['content'] | trim + ' ' + eos_token }}{%- endif %}"
    "{%- endfor %}",
    ("<s>", "</s>"),
)
GEMMA = Family(
    "{{ bos_token }}{%- if messages[0]['role'] == 'system' %}"
    "{{ raise_exception('System role not supported') }}{%- endif %}"
    "{%- for message in messages %}"
    "{%- set role = 'model' if message['role'] == 'assistant' else message['role'] %}"
    "{{ '<start_of_turn>' + role + '\n' + message['content'] | trim "
    "+ '<end_of_turn>\n' }}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<start_of_turn>model\n' }}{%- endif %}",
    ("<bos>", "<eos>", "<start_of_turn>", "<end_of_turn>"),
    takes_system=False,
)
MISTRAL_7 = Family(
    "{{ bos_token }}{%- for message in messages %}"
    "{%- if message.role == 'user' %}{{ '[INST]' + message.content + '[/INST]' }}"
    "{%- elif message.role == 'system' %}"
    "{{ '[SYSTEM_PROMPT]' + message.content + '[/SYSTEM_PROMPT]' }}"
    "{%- elif message.tool_calls %}{{ '[TOOL_CALLS]' }}"
    "{{ message.tool_calls | tojson + eos_token }}"
    "{%- elif message.role == 'tool' %}"
    "{{ '[TOOL_RESULTS]' + message.content + '[/TOOL_RESULTS]' }}"
    "{%- else %}{{ message.content + eos_token }}{%- endif %}{%- endfor %}",
    (
        "<s>",
        "</s>",
        "[INST]",
        "[/INST]",
        "[SYSTEM_PROMPT]",
        "[/SYSTEM_PROMPT]",
        "[TOOL_CALLS]",
        "[TOOL_RESULTS]",
        "[/TOOL_RESULTS]",
    ),
    takes_tools=True,
)
ZEPHYR = Family(
    "{%- for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + eos_token + '\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}{%- endif %}",
    ("<s>", "</s>"),
)
PHI_3 = Family(
    "{%- for message in messages %}"
    "{{ '<|' + message['role'] + '|>\n' + message['content'] + '<|end|>\n' }}"
    "{%- endfor %}{%- if add_generation_prompt %}{{ '<|assistant|>\n' }}"
    "{%- else %}{{ eos_token }}{%- endif %}",
    ("<s>", "<|endoftext|>", "<|end|>", "<|user|>", "<|assistant|>", "<|system|>"),
)
# A thought stays in what follows the last question, and is dropped before it.
QWEN_3 = Family(
    "{%- set ns = namespace(last=messages|length - 1) %}"
    "{%- for message in messages %}{%- if message.role == 'user' and "
    "not (message.content.startswith('<tool_response>')) %}"
    "{%- set ns.last = loop.index0 %}{%- endif %}{%- endfor %}"
    "{%- for message in messages %}{%- if message.role == 'assistant' %}"
    "{%- set content = message.content %}{%- set thought = '' %}"
    "{%- if message.reasoning_content is string %}"
    "{%- set thought = message.reasoning_content %}"
    "{%- elif '</think>' in content %}"
    "{%- set thought = content.split('</think>')[0].rstrip('\n')"
    ".split('<think>')[-1].lstrip('\n') %}"
    "{%- set content = content.split('</think>')[-1].lstrip('\n') %}{%- endif %}"
    "{{ '<|im_start|>assistant\n' }}"
    "{%- if loop.index0 > ns.last and (loop.last or thought) %}"
    "{{ '<think>\n' + thought.strip('\n') + '\n</think>\n\n' }}{%- endif %}"
    "{{ content.lstrip('\n') }}"
    "{%- for call in message.tool_calls or [] %}"
    '{{ \'\n<tool_call>\n{"name": "\' + call.function.name + \'", "arguments": \' '
    "+ call.function.arguments | tojson + '}\n</tool_call>' }}{%- endfor %}"
    "{{ '<|im_end|>\n' }}"
    "{%- else %}"
    "{{ '<|im_start|>' + message.role + '\n' + message.content + '<|im_end|>\n' }}"
    "{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{%- endif %}",
    ("<|im_start|>", "<|im_end|>"),
    takes_tools=True,
)
# Asked with an opened thought, which the answers of its data close.
DEEPSEEK = Family(
    "{{ bos_token }}{%- for message in messages %}"
    "{%- if message.role == 'user' %}{{ '<｜User｜>' + message.content }}"
    "{%- elif message.role == 'assistant' %}"
    "{{ '<｜Assistant｜>' + message.content + '<｜end▁of▁sentence｜>' }}"
    "{%- else %}{{ message.content }}{%- endif %}{%- endfor %}"
    "{%- if add_generation_prompt %}{{ '<｜Assistant｜><think>\n' }}{%- endif %}",
    (
        "<｜begin▁of▁sentence｜>",
        "<｜end▁of▁sentence｜>",
        "<｜User｜>",
        "<｜Assistant｜>",
    ),
)
FAMILIES = {
    "chatml": CHATML,
    "llama-3": LLAMA_3,
    "llama-2": LLAMA_2,
    "gemma": GEMMA,
    "mistral-7": MISTRAL_7,
    "zephyr": ZEPHYR,
    "phi-3": PHI_3,
    "qwen-3": QWEN_3,
    "deepseek": DEEPSEEK,
}

QUESTION = "Which cheese is number 7?"
ANSWER = "Aye, number 7 is a fine Brie."
CALL = {
    "type": "function",
    "function": {"name": "look_up", "arguments": {"number": 7}},
}


def chat(*turns, line=1, **others):
    """A chat of (role, words) or (role, words, extras)."""
    return Chat(tuple(Turn(*turn) for turn in turns), line=line, **others)
