"""How fast and how good, each beside a named baseline measured in the same run."""
