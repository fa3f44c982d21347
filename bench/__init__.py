"""Measured comparisons: figures and ratios are printed, times are never asserted."""
