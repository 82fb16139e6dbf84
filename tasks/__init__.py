"""What one step does: plain functions."""
