"""What a trained model makes of its contexts.

Trials under every condition, their narrations, scores, probes and baselines. The stage `evaluate`
imports this. Drawing of pictures belongs to `report`, rules of drawing episodes to `episodes`.
"""
