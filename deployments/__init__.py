"""Where everything runs: one machine, a container, a cluster. Parts are started by entrypoint name only."""
