"""Adapters of one base become one adapter, without the base's weights.

- `verb`: what ``combine`` does, from the adapters to the folder;
- `parts`: an adapter that is to be combined, and what it can't be;
- `agreement`: what adapters must have in common;
- `arithmetic`: one layer, by peft's own code;
- `layers`: all of them, from file to file;
- `result`: what lies beside the weights;
- `about`: what the result says of where it comes from.
"""
