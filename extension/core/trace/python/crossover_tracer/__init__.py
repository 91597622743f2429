"""What records a model: graphs, source positions, errors, the importer of model sources, and the trace itself."""
