"""The training loop: datasets and batches, augmentation, losses, optimiser, checkpoints, tracking.

The stage `train` imports this. Episodes come as rows: how they were drawn is unknown here.
"""
