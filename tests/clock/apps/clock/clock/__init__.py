"""Tells whoever asks what it may, and as whom."""
