"""From a video file to features: decoding, optical flow, extractors."""
