"""The building of a project on one day, as a mesh: frame, walls, windows, skins, scaffold, roof."""
