"""What came of a run as files to keep, to share and to run elsewhere.

- `verb`: what ``export`` does, from an order to what was made of it;
- `places`: where each artefact lies, and what may make room for it;
- `adapter`: the adapter as an artefact of its own, with a zip beside it;
- `merged`: the merged model, proven before it gets its name;
- `elsewhere`: other forms, by exporters that plug-ins bring (`plugins`);
- `shared_card`, `course`, `loss_curve`: what their cards tell;
- `privacy`: that nothing of the machine is handed on.
"""
