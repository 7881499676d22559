"""Generation in this process: sampling, slots, continuous batching, streams.

No names are re-exported, so that importing one module costs no more than that module.
"""
