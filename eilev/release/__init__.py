"""From a finished pipeline to a promoted version: gate, registry, model card, running servers."""
