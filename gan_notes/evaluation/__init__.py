"""How good is a sample? Distances, baselines and judges."""
