"""Figures of the design, each measured against a baseline in the same run."""
