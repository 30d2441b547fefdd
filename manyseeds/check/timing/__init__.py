"""The time layer: seconds of every backend, normalised by a yardstick measured beside them."""
