"""Whether an exported model says what was trained.

- `verb`: what ``verify`` does, from two folders to a report;
- `texts`: what both read;
- `hearing`: what a model expects at each token of an answer, and how far two are apart;
- `words`: whether both tokenizers make the same tokens, and end answers alike;
- `page`: the report for people.
"""
