"""The accuracy layer: the scores of many seeds, in the baseline and now."""
