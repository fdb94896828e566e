"""The method: backbone, losses, pseudo-labels, and Adaptive Mutual Supervision itself."""
