"""Figures and pages of a run, from its folder alone."""
