"""Draws by step number, the loop, exact checkpoints, shipped weights."""
