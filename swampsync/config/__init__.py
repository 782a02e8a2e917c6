"""Who am I, where is my data, and where does each answer come from: `.swamp.yaml`, the environment and flags."""
