"""From a video file to the frames of a clip.

The decoder, the one rule of which frames, the shards that keep them, the cache in memory.
Everything that shows videos may import this. Words, episodes and torch never come in: a clip is a
file, a time and its frames.
"""
