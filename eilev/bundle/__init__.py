"""An exported model and how it is run: the manifest, onnxruntime's sessions, the engine on them.

`export` writes bundles; `serving` and `narrator` answer from them. No torch and no HTTP here: a
server needs this folder and what is HTTP, nothing else.
"""
