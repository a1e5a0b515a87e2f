"""One fault of the matrix each: `run(count, seed, folder) -> Result`."""
