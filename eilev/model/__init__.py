"""The interleaved video model: building, loading, scoring, and the engine in torch.

It stands on the parts of transformers' BLIP-2. torch begins here. Training, evaluation, export,
planning and the narrator import this; data files of the pipeline never come in.
"""
