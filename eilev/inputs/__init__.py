"""What a model is given.

Turns and prompts, the token layout, the tokenizer, pixels, footage of users. The same code prepares
training, evaluation, the narrator and the server, so no torch comes in, and nothing of how episodes
are drawn.
"""
