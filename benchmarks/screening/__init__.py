"""The parts of ``screen.py``."""
