"""hrbench measures high-resolution vision networks: accuracy, operations, latency, and tables like the papers'."""
