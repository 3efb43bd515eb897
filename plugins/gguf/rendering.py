"""A model's own chat template, as transformers renders it."""

from .source import Source
from .templates import Render, Turns


def render_of(source: Source) -> Render:
    """What renders chats by the template of a model's folder."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(
        source.folder, trust_remote_code=False, local_files_only=True
    )

    def render(turns: Turns, *, asks: bool) -> str:
        chat = [{"role": role, "content": said} for role, said in turns]
        try:
            text = tokenizer.apply_chat_template(
                chat, tokenize=False, add_generation_prompt=asks
            )
        except Exception as fault:
            raise ValueError(str(fault)) from fault
        return str(text)

    return render
