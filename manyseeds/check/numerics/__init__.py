"""The numerics layer: trajectories in float64, step by step, and where they first differ."""
