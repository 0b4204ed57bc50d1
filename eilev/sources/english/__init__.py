"""English of annotators: phrases to sentences, and the main verb and noun of a sentence.

Only the adapters import this.
"""
