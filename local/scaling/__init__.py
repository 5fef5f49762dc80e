"""`./dev scale`: which limit a growing number of reads meets first, simulated and priced."""
