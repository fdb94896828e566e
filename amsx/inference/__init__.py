"""A trained run applied to anything new: features in memory, files of features, data sets, video files."""
