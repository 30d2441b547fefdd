"""The accuracy layer: what seeds scatter, now and then."""
