"""What all narrations share.

Words and their inflections, the lexicon of a corpus, templates, words that no one has. Everything
above may import this; sources, clips and episodes are unknown here.
"""
