"""Variants of the default, trained over several seeds and compared.

`make ablations` runs them. The stages run as they are; what they compute never
comes in here.
"""
