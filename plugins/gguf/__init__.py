"""Merged models as one GGUF file, which llama.cpp and what is built on it run.

- `forms`: in which formats weights can be held;
- `check`: what speaks against an export, asked beforehand (the manifest's ``check``);
- `exporter`: an export from beginning to end (the manifest's ``module``);
- `programs`: a llama.cpp of the user's own;
- `installing`, `converting`, `children`: the converter, which runs in a process of its
  own and is never imported here;
- `reading`: a file is read back in a process of its own and held against its source;
- `templates`, `modelfile`, `guide`: what it takes to run the file elsewhere.
"""
