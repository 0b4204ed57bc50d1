"""What keeps docs/ true: commands that write there what code and results say (`make docs`)."""
