"""Reinforcement learning from verifiable rewards.

    pass_rate, probe -> fresh                        which prompts, and what was gained on others
    prompts -> rollout -> rewards -> advantages      one rollout batch, written down whole
    policy -> objectives -> update                   a few optimizer steps on it
    loop                                             batches, checkpoints, the final model

Leaves out on purpose: a reference model and KL terms, resampling of groups without signal,
generation that runs ahead of training, and more than one device.
"""

VERSION = 3
"""Of what the job computes; a changed meaning raises it, and the job runs again."""
