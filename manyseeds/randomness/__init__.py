"""The sources of random numbers.

Belongs here: seeds, the addresses of draws, batch orders, and the counter-based noise that every
backend reproduces bit for bit. Not here: the draws of a network or an image, which are in
`techniques.network_streams`, and the computation of the noise in a backend.
"""
