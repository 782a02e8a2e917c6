"""Who am I, where is my data, and where each answer came from."""
