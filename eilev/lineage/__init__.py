"""From a served answer back to data, parameters and code: what git and DVC have kept of it."""
