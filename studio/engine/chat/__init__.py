"""Talking to a run or a model: several voices, one model in memory at a time.

`source` says who can speak; `stage` holds the model that a voice
needs and swaps weights; `speaking` draws an answer token by token; `examples` are what
the few-shot base gets to read; `verb` takes questions until its input ends.
"""
