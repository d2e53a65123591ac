"""Files as archives hold them, made by seed: what is contradictory must not get through, what is good not get lost."""
