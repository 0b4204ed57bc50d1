"""Burstiness, skew and dynamic meaning as numbers: of a corpus, of episodes, with intervals.

`validation` and the commands import this; what draws episodes never does, so that a property is
measured independently of how it was made. numpy, pandas and pyarrow only.
"""
