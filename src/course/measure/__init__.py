"""Instruments that lessons and checks measure with."""
