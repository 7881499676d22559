"""The floor of the house: errors, look-up, hashing, paths, seeds, progress, Ctrl-C between steps.

Standard library only.
"""
