"""What learns: the two players, TimeGAN, their networks and losses."""
