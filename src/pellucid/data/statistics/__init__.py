"""What a text looks like in numbers; whole batches of texts at once, in NumPy arrays.

Names and meanings are those of the standard filters for web text (Gopher, arXiv 2112.11446; the
character and word repetition of BLOOM's ROOTS corpus), without lists of words of any language.
Leaves out on purpose: thresholds, which are the business of a mix.
"""
