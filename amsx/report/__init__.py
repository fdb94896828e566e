"""One HTML file about runs and experiments."""
