"""The rendered kitchen, the source for everyone without data.

Its words, motions, looks, videos, annotations. Only the stage `synthesize` imports this: everything
else reads what it wrote, as it would read Ego4D.
"""
