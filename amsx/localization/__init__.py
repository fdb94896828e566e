"""From class activation sequences to detections in seconds."""
