"""Pages and pictures from what the stages wrote down.

Charts, samples, the comparison with the paper. The stage `report`, experiments and commands import
this. Nothing is measured here.
"""
