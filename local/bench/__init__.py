"""`./dev bench`: how fast the service is, mostly as ratios measured in one run.

Ratios, because machines are noisy and differ: where two subjects are compared, they are measured in
turn, round after round, and their medians are compared.
"""
