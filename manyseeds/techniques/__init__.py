"""The techniques of the chapter: one definition each, which every backend computes."""
