"""A model as ONNX graphs, and the proof that they answer as torch does.

The stage `export` imports this. Whatever reads a bundle belongs to `bundle`.
"""
