"""Whether requests and new annotations are still as what a model was trained on.

The command `drift` imports this. Servers write what it reads through `eilev.traffic`.
"""
