"""The page on which a person clicks a facade's corners: one file with the photo in it, which asks nobody for anything."""
