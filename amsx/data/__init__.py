"""Data sets: read from files on users' disks or made up, written in other layouts, and put into batches."""
