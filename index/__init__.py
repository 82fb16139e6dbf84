"""What is stored, where, and made by which model."""
