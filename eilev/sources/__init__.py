"""One adapter per kind of annotations, all to one narration table.

Rejected rows keep their reason. The stage `ingest` and the command `describe` import this. Splits,
episodes and pixels never come in.
"""
