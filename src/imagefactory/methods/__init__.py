"""Build methods: manifest to plan. Pure Python; they know no executor, no adapter and no framework."""
