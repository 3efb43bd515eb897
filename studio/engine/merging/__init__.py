"""An adapter is worked into its base model: one model that needs no adapter.

- `verb`: what ``merge`` does, from the run to the folder;
- `plan`: which tensor of which file each part of the adapter belongs to;
- `targets`: which weights of the model those parts change;
- `places`: where these lie in the files, experts one by one or stacked;
- `arithmetic`: one weight with its adapter, by peft's own layer;
- `streaming`: file by file and tensor by tensor, so that memory stays small.
"""
