"""The sources of random numbers.

Belongs here: seeds, the addresses of draws, batch orders, and the counter-based noise that every
backend reproduces bit for bit. Not here: what a network or an image draws from them, which is in
`techniques.network_streams`, and how a backend computes the noise.
"""
