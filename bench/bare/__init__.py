"""The bare partners: the plain part of the work, as fast as plain code does it."""
