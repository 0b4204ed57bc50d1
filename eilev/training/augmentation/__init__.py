"""Random changes of training clips, in torch.

Only training imports this; evaluation and serving use eilev.inputs.preprocess, which equals it
where nothing random is asked for.
"""
