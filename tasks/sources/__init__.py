"""The kinds of source, a small file each; `port.py` says what a new one must do."""
