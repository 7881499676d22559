"""The flow: jobs, their keys, and the only place that wires rooms together."""
