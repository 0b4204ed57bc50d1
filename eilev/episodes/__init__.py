"""Who is in whose context.

Splits, classes, samplers, reshaped marginals, changed meanings, the rows. Stages, commands,
`distributions`, `validation`, `evaluation` and `planning` may import this; training, serving and
everything about pixels see finished rows only. No torch, no videos.
"""
