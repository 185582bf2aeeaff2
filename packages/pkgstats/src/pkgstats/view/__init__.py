"""What all accepted writers say, merged, in one SQLite file that can be made anew any time."""
