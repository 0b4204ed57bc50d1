"""An exported model and how it is run: the manifest, onnxruntime's sessions, the engine on them.

`export` writes bundles; `serving` and `narrator` answer from them. No torch and no HTTP here: a
server installs neither more nor less than this folder needs.
"""
