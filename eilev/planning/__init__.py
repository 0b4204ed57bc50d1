"""What `eilev plan` computes: a training's memory, operations and hours, without running it.

The command `plan` imports this. Nothing here touches a GPU or a weight.
"""
