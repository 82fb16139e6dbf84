"""Formats: how the bytes of each kind of document become text."""
