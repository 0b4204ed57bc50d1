"""One thin module per DVC stage: load parameters, read, call one library function, write.

Nothing imports this; `watched` says which code each stage's result depends on.
"""
