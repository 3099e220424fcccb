"""What learns: the two players, TimeGAN, their networks and losses."""

import gan_notes

gan_notes.check_engine("gan_notes.models")
