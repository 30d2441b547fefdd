"""The time layer: seconds, in multiples of a yardstick beside them."""
