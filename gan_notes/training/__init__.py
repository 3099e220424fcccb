"""Draws by step number, the loop, exact checkpoints, shipped weights."""

import gan_notes

gan_notes.check_engine("gan_notes.training")
