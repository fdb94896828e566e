"""From files on users' disks to batches."""
