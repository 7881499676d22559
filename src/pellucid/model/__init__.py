"""The model: packed NaFlex tower, projector, decoder, processor, checkpoints.

Nothing here registers itself with transformers' Auto* classes; `pellucid.hf` does. No names are
re-exported, so that importing one module costs no more than that module.
"""
