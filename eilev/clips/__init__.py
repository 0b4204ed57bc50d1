"""From a video file to the frames of a clip.

What containers say, the decoders and their processes, the one rule of which frames, the shards that
keep them, the cache in memory.
Everything that shows videos may import this. Words, episodes and torch never come in: a clip is a
file, a time and its frames.
"""
