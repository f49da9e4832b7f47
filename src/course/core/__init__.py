"""What everything needs: processes, errors, paths, locks, files, waiting, the manifest."""
