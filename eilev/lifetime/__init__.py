"""How a stage ends: with what started it, alone in its folder, and with a `dvc.lock` that is whole.

No result depends on this, so that no stage is run again for it (`eilev.stages.watched`).
"""
