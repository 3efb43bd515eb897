"""Whether an exported model says what was trained.

- `verb`: what ``verify`` does, from two folders to a report;
- `texts`: what both read;
- `hearing`: what a model expects at each token of an answer, and how far two are apart;
- `artefacts`: what can be compared, a folder or a GGUF file;
- `speakers`: one that is loaded and asked: by transformers, or by llama.cpp's server;
- `gguf_file`, `llama_server`: these two for GGUF files; `listed`, for the server tells
  of the likeliest words alone; `llama_program`: which server, and `leash`, by which it
  ends with its engine;
- `converted`: a file beside the merged model that it was made of;
- `words`: whether both tokenizers make the same tokens, and end answers alike;
- `page`: the report for people.
"""
