"""The floor of the house: errors, look-up, hashing, paths, seeds, progress.

Standard library only.
"""
