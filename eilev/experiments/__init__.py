"""Variants of the default, trained over several seeds and compared.

`make ablations` and `make binding` run them. The stages run as they are; what they compute never
comes in here.
"""
