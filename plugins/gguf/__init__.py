"""Merged models as one GGUF file, which llama.cpp and what is built on it run.

- `forms`: in which formats weights can be held;
- `check`: what speaks against an export, asked beforehand (the manifest's ``check``);
- `exporter`: an export from beginning to end (the manifest's ``module``);
- `source`: what a merged model's folder says of itself;
- `supported`, `words`: which models and which tokenizers the converter knows;
- `installing`, `converting`, `children`: the converter, which runs in a process of its
  own and is never imported here;
- `reading`: a file is read back in a process of its own and held against its source;
- `hearing`: it is heard beside its source, by the engine;
- `rendering`, `templates`, `modelfile`, `guide`: what it takes to run it elsewhere.
"""
