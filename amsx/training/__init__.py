"""Who trains, who is frozen, on what, and how a run survives being killed."""
