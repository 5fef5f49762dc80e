"""`./dev bench`: how fast the service is, as ratios measured in one run.

Ratios, because machines are noisy and differ: the subjects of a comparison are measured in turn,
round after round, and the medians are compared.
"""
