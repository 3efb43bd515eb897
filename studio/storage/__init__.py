"""Files: run directories, projects, atomic documents."""
