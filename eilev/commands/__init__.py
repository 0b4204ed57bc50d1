"""The `eilev` command.

One module per subcommand, each declares its options and calls one library function. Only `cli`
imports this. What a command computes lives in the room of its idea.
"""
