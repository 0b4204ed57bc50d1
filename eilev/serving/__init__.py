"""HTTP only: the protocol, chats to turns, videos of strangers, the server.

Nothing imports this. The model is behind `bundle`; no torch, no pandas.
"""
