"""Files that are wrong in every way, given to every reader of amsx: `python -m benchmarks.fuzz`.

`mutations` changes bytes, JSON, pickles, archives, tables and arrays by their structure; `formats` says which valid
files it starts from, which reader gets the result, and what the right values are; `trial` tries one file and judges the
reader; `running` does so in processes that may die. docs/threat-model.md says what must hold.
"""
