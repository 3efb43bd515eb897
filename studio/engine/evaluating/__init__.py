"""How a run and its base do on rows that were never trained on.

- `verb`: what ``evaluate`` does, from a run and a data file to a report;
- `cases`: the inputs, each with all its references, and which of them were learnt;
- `voices`: the models that are asked, one in memory at a time;
- `hearing`: what a voice makes of the inputs;
- `together`: as many rows at a time as there is memory for;
- `scores`: exact match, BLEU and ROUGE-L;
- `intervals`: figures, and how sure their differences are;
- `page`: the report for people.
"""
