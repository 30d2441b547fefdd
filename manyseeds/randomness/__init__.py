"""Streams of random numbers: where each comes from, and the noise drawn inside the graph."""
